import sqlalchemy as sa
from alembic import op

revision = "side"
down_revision = "users"
depends_on = None


def upgrade():
    op.create_table("side", sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True))
    op.bulk_insert(sa.table("side", sa.column("id", sa.BigInteger)), [{"id": 5}])


def downgrade():
    pass
