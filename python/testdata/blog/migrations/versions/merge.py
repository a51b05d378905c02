revision = "merge"
down_revision = ("size", "side")
depends_on = None


def upgrade():
    pass


def downgrade():
    pass
