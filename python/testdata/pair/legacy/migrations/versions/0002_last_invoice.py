import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("customers", sa.Column("last_invoice_id", sa.BigInteger, sa.ForeignKey("billing_invoice.id")))
