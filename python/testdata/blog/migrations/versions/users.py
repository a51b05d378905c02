import sqlalchemy as sa
from alembic import op

revision = "users"
down_revision = None
depends_on = None


def upgrade():
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(30), nullable=False),
    )
    op.execute("INSERT INTO users (name) VALUES ('50%'), ('a:b')")
    op.execute("UPDATE users SET name = 'x' WHERE name LIKE 'a%'")


def downgrade():
    pass
