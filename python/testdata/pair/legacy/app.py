import os

import click
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column

db = SQLAlchemy()


class Customer(db.Model):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    last_invoice_id: Mapped[int | None]


def create_app(**config):
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("SQLALCHEMY_DATABASE_URI")
    app.config.update(config)
    db.init_app(app)
    Migrate(app, db)

    @app.get("/health")
    def health():
        return {"customers": db.session.query(Customer).count()}

    @app.get("/customers")
    def customers():
        return [c.name for c in db.session.query(Customer).order_by(Customer.id)]

    @app.cli.command("make-data")
    def make_data():
        db.session.add_all(Customer(name=f"made up {n}") for n in range(50))
        db.session.commit()
        click.echo("50 customers made up")

    return app
