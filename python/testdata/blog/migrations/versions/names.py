from alembic import op

revision = "names"
down_revision = "users"
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("names_idx", "users", ["name"], postgresql_concurrently=True)
    op.create_unique_constraint("users_name_key", "users", ["name"])


def downgrade():
    pass
