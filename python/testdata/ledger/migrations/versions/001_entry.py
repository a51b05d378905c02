import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade():
    entry = op.create_table(
        "entry",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("amount", sa.String(20), nullable=False),
        sa.Column("account", sa.String(40), nullable=False),
    )
    op.bulk_insert(entry, [{"amount": f"{i}.{i:02}", "account": "ab"[i % 2]} for i in range(50)])


def downgrade():
    op.drop_table("entry")
