import os
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context

from models import metadata

fileConfig(context.config.config_file_name)

if context.is_offline_mode():
    context.configure(url="postgresql://", target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = sa.create_engine(os.environ["REPLANK_TEST_URL"])
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
