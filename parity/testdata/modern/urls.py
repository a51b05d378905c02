"""The modern side: Django. Order 7 and the price of order 8 are not as they were."""

import json
import secrets
import time

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path

orders = {n: {"paid": n % 2 == 0, "total": n * 2.5, "id": n} for n in range(1, 21)}
orders[7]["paid"] = None
orders[8]["total"] = 20


def all_orders(request):
    if request.method == "POST":
        n = max(orders) + 1
        orders[n] = {"id": n, **json.loads(request.body)}
        return JsonResponse(orders[n], status=201)
    return JsonResponse({"trace": secrets.token_hex(8), "took": time.perf_counter(), "rows": list(orders.values())})


def order(request, n):
    return JsonResponse(orders[n]) if n in orders else JsonResponse({"error": "not found"}, status=404)


def form(request):
    answer = HttpResponse(
        f"""<!DOCTYPE html>\n<html><body id="top" class="page wide"><form method="post"><input type="hidden" name="csrf_token"
        value="{secrets.token_hex(32)}"><p>Café &#38; more</p></form></body></html>"""
    )
    answer.set_cookie("session", secrets.token_hex(16), httponly=True, samesite="Lax")
    return answer


def whoami(request):
    return JsonResponse({"user": "olga" if request.headers.get("Authorization") == "Bearer modern-password" else None})


urlpatterns = [
    path("orders", all_orders),
    path("orders/<int:n>", order),
    path("form", form),
    path("old", lambda request: HttpResponseRedirect("/orders?page=1")),
    path("whoami", whoami),
]
