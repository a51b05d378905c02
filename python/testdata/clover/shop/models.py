import datetime
import enum

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class State(enum.Enum):
    open = "open"
    paid = "paid"


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    email: Mapped[str | None] = mapped_column(sa.String(120))


class Invoice(Base):
    __tablename__ = "invoices"
    __table_args__ = (
        sa.CheckConstraint("cents >= 0", name="invoices_cents_check"),
        sa.Index("invoices_paid_at", "paid_at", postgresql_where=sa.text("paid_at IS NOT NULL")),
    )
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    customer_id: Mapped[int] = mapped_column(
        sa.ForeignKey("customers.id", deferrable=True, initially="DEFERRED"), index=True
    )
    number: Mapped[str] = mapped_column(sa.String(20), unique=True)
    state: Mapped[State] = mapped_column(sa.Enum(State, name="invoice_state"), server_default="open")
    cents: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    paid_at: Mapped[datetime.datetime | None] = mapped_column(sa.DateTime(timezone=True))
