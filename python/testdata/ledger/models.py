import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table("account", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(40), nullable=False))
sa.Table(
    "entry", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("cents", sa.BigInteger, nullable=False),
    sa.Column("account_id", sa.Integer, sa.ForeignKey("account.id"), nullable=False),
)  # fmt: skip
