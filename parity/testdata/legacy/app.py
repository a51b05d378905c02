"""The legacy side of a port: Flask."""

import secrets
import time

from flask import Flask, jsonify, make_response, redirect, request

app = Flask(__name__)
app.json.sort_keys = False
orders = {n: {"id": n, "total": n * 2.5, "paid": n % 2 == 0} for n in range(1, 21)}


@app.get("/orders")
def list_orders():
    return jsonify(rows=list(orders.values()), took=time.perf_counter(), trace=secrets.token_hex(8))


@app.get("/orders/<int:n>")
def order(n):
    return jsonify(orders[n]) if n in orders else (jsonify(error="not found"), 404)


@app.post("/orders")
def new_order():
    n = max(orders) + 1
    orders[n] = {"id": n, **request.get_json()}
    return jsonify(orders[n]), 201


@app.get("/form")
def form():
    answer = make_response(
        f"""<!doctype html>
        <html><body class="page wide" id="top"><form method=post>
          <input name="csrf_token" type="hidden" value="{secrets.token_hex(16)}">
          <p>Caf&eacute; &amp; more</p>
        </form></body></html>"""
    )
    answer.set_cookie("session", secrets.token_hex(16), httponly=True, samesite="Lax")
    return answer


@app.get("/old")
def old():
    return redirect("/orders?page=1")


@app.get("/whoami")
def whoami():
    return jsonify(user="olga" if request.headers.get("Authorization") == "Bearer legacy-password" else None)
