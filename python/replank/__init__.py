"""The Python side of Replank: exports the migration histories of Django and Alembic."""

__version__ = "0.2.0"
