from alembic import op

revision = "005"
down_revision = "004"


def upgrade():
    op.alter_column("entry", "cents", nullable=False)
    op.drop_column("entry", "amount")


def downgrade():
    raise NotImplementedError
