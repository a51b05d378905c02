import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table("customers", sa.Column("id", sa.Integer, sa.Identity(), primary_key=True), sa.Column("name", sa.Text, nullable=False))
    op.execute("INSERT INTO customers (name) VALUES ('the first')")
