from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "mood"
down_revision = "users"
depends_on = None


def upgrade():
    mood = postgresql.ENUM("good", "bad", name="mood", create_type=False)
    mood.create(op.get_bind(), checkfirst=True)
    op.add_column("users", sa.Column("mood", mood, server_default="good"))


def downgrade():
    pass
