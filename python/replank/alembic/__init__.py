"""Export of an Alembic history: `replank-alembic export -c alembic.ini`, or `python -m replank.alembic export`."""
