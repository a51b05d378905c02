import os

import pytest
import sqlalchemy as sa
from billing.models import Invoice
from django.db import connection, transaction

SEEN = os.environ.get("SEEN")


@pytest.mark.parametrize("n", range(6))
def test_each_has_its_own(replank_db, n):
    assert Invoice.objects.count() == 1  # the fixture, and nothing of another test
    with transaction.atomic():
        Invoice.objects.create(customer_id=1, number=f"B-{n}")
    # It is committed: a connection of SQLAlchemy sees it.
    engine = sa.create_engine(replank_db.url("postgresql+psycopg"))
    with engine.connect() as other:
        assert other.execute(sa.text("SELECT count(*) FROM billing_invoice")).scalar() == 2
        assert other.execute(sa.text("SELECT current_database()")).scalar() == replank_db.name
    engine.dispose()
    if SEEN:
        with open(SEEN, "a") as seen:
            seen.write(replank_db.name + "\n")


def test_flask(replank_db):
    from app import create_app

    app = create_app(SQLALCHEMY_DATABASE_URI=replank_db.url("postgresql+psycopg"))
    assert app.test_client().get("/health").json == {"customers": 51}


@pytest.mark.django_db
@pytest.mark.parametrize("n", range(2))
def test_rolled_back(n):
    assert connection.settings_dict["NAME"].count("_replank_test_") == 1
    assert Invoice.objects.count() == 1
    Invoice.objects.create(customer_id=1, number="C")


def test_no_database():
    with pytest.raises(RuntimeError):
        Invoice.objects.count()
