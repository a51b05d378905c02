import pytest


@pytest.fixture(scope="session")
def django_db_setup(replank_session_db):
    """Tests with the mark django_db roll back in one database of the worker."""
    with replank_session_db.as_django():
        yield
