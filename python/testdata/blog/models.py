import sqlalchemy as sa

metadata = sa.MetaData()
users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(30), nullable=False, unique=True),
    sa.Column("mood", sa.Enum("good", "bad", name="mood"), server_default="good"),
    sa.Column("size", sa.BigInteger, default=7),
)
