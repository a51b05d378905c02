from decimal import Decimal

import sqlalchemy as sa
from alembic import op

revision = "004"
down_revision = "003"


def upgrade():
    bind = op.get_bind()
    for id, amount in bind.execute(sa.text("SELECT id, amount FROM entry")).all():
        bind.execute(sa.text("UPDATE entry SET cents = :c WHERE id = :id"), {"c": int(Decimal(amount) * 100), "id": id})


def downgrade():
    pass
