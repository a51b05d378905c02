import sqlalchemy as sa
from alembic import op

revision = "002"
down_revision = "001"


def upgrade():
    """Schema and data in one function: alembic has to run it as a whole."""
    op.create_table("account", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(40), nullable=False))
    op.add_column("entry", sa.Column("account_id", sa.Integer, sa.ForeignKey("account.id", name="entry_account")))
    bind = op.get_bind()
    for (name,) in bind.execute(sa.text("SELECT DISTINCT account FROM entry ORDER BY 1")).all():
        id = bind.execute(sa.text("INSERT INTO account (name) VALUES (:name) RETURNING id"), {"name": name}).scalar()
        bind.execute(sa.text("UPDATE entry SET account_id = :id WHERE account = :name"), {"id": id, "name": name})
    op.alter_column("entry", "account_id", nullable=False)
    op.drop_column("entry", "account")


def downgrade():
    op.add_column("entry", sa.Column("account", sa.String(40)))
    op.execute("UPDATE entry SET account = name FROM account WHERE account.id = account_id")
    op.alter_column("entry", "account", nullable=False)
    op.drop_column("entry", "account_id")
    op.drop_table("account")
