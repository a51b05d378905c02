import sqlalchemy as sa
from alembic import op

revision = "003"
down_revision = "002"


def upgrade():
    op.add_column("entry", sa.Column("cents", sa.BigInteger))


def downgrade():
    op.drop_column("entry", "cents")
