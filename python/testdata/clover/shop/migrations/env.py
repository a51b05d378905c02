import os
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context

from models import Base

fileConfig(context.config.config_file_name)

# django_migrations and the tables that only Django has models of are nothing of ours.
DJANGO = {"django_migrations"}


def include_object(thing, name, kind, reflected, compare_to):
    return kind != "table" or name not in DJANGO


options = {"target_metadata": Base.metadata, "include_object": include_object}
if context.is_offline_mode():
    context.configure(url="postgresql://", **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = sa.create_engine(os.environ["REPLANK_TEST_URL"])
    with engine.connect() as connection:
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()
