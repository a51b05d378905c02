import threading
import time

import requests
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views import View
from django.views.decorators.http import require_http_methods

from replank import hops

hops.install("127.0.0.1")


def seen(request):
    """What has arrived, so that a test can compare it with what was sent."""
    answer = HttpResponse(f"modern {request.method} {request.get_full_path()} {len(request.body)}")
    answer["X-Headers"] = ", ".join(sorted(k for k in request.META if k.startswith("HTTP_")))
    answer["X-Host"] = request.get_host()
    return answer


class Both(View):
    def get(self, request):
        return seen(request)


@require_http_methods(["GET"])
def only_get(request):
    return seen(request)


def thing(request, pk):
    if pk > 100:
        raise Http404("no such thing")
    return seen(request)


def chunked_404(request):
    return StreamingHttpResponse((b"modern " for _ in range(3)), status=404)


def same(request, name):
    if name == "broken":
        raise RuntimeError(name)
    if name == "stuck":
        threading.Event().wait(5)
    return JsonResponse({"name": name, "at": time.time(), "total": 1 if name == "wrong" else 2, "shadow": False})


def cookies(request):
    answer = HttpResponse()
    answer.set_cookie("sessionid", "m", domain="example.com", path="/modern", httponly=True, samesite="Lax", secure=True)
    answer.set_cookie("other", "2")
    return answer


def calls(request):
    """Sends a request while this one is served, and answers with its answer."""
    sent = requests.request(request.GET.get("method", "GET"), request.GET["url"], timeout=10)
    return HttpResponse(sent.text, status=sent.status_code)


urlpatterns = [
    path("calls/", calls),
    path("cookies", cookies),
    path("same/<str:name>", same),
    path("chunked-404", chunked_404),
    path("ported/", seen),
    path("both", Both.as_view()),
    path("decorated", only_get),
    path("things/<int:pk>", thing),
    path("slashed/", seen),
]
