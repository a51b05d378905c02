"""The old application: Flask and SQLAlchemy, with every endpoint."""

import os

from flask import Flask, jsonify, request
from replank.flask.gateway import Gateway
from sqlalchemy import create_engine, text

app = Flask(__name__)
app.config["REPLANK_ROUTES_SECRET"] = os.environ.get("ROUTES_SECRET")
Gateway(app)
engine = create_engine(os.environ["ALCHEMY"], pool_size=8)


@app.route("/<name>/", methods=["GET", "POST"])
def entries(name):
    with engine.begin() as connection:
        if request.method == "POST":
            connection.execute(text("INSERT INTO entry (name, by, note) VALUES (:n, 'legacy', :t)"), {"n": name, "t": request.form["note"]})
        n = connection.execute(text("SELECT count(*) FROM entry WHERE name = :n"), {"n": name}).scalar_one()
    return jsonify(by="legacy", count=n)
