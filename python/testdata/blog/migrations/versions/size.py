import sqlalchemy as sa
from alembic import op

revision = "size"
down_revision = "mood"
depends_on = "names"


def upgrade():
    with op.batch_alter_table("users") as batch:
        batch.add_column(sa.Column("size", sa.Integer))
        batch.alter_column("size", type_=sa.BigInteger())


def downgrade():
    pass
