import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table(
        "customers",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("email", sa.String(120)),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("customer_id", sa.BigInteger, sa.ForeignKey("customers.id", deferrable=True, initially="DEFERRED"), nullable=False),
        sa.Column("number", sa.String(20), nullable=False, unique=True),
        sa.Column("state", sa.Enum("open", "paid", name="invoice_state"), server_default="open", nullable=False),
        sa.Column("cents", sa.BigInteger, server_default=sa.text("0"), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("cents >= 0", name="invoices_cents_check"),
    )
    op.create_index("ix_invoices_customer_id", "invoices", ["customer_id"])
    op.create_index("invoices_paid_at", "invoices", ["paid_at"], postgresql_where=sa.text("paid_at IS NOT NULL"))


def downgrade():
    op.drop_table("invoices")
    op.drop_table("customers")
    op.execute("DROP TYPE invoice_state")
