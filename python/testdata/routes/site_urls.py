import functools

from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path, re_path, register_converter
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from rest_framework.decorators import action, api_view
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, SimpleRouter
from rest_framework.viewsets import ViewSet


def remember(get_response):
    """The middleware behind all others: which route was found stands in the answer."""

    def middleware(request):
        response = get_response(request)
        match = request.resolver_match
        if match is not None:
            response["X-Route"] = match.view_name if match.url_name else ""
            response["X-Found"] = "yes"
        return response

    return middleware


def wrapped(view):
    """As projects do: it may answer before the view is asked."""

    @functools.wraps(view)
    def inner(request, *args, **kwargs):
        return HttpResponse("preflight") if request.method == "OPTIONS" else view(request, *args, **kwargs)

    return inner


def answer(request, *args, **kwargs):
    return HttpResponse("ok")


class Answer(View):
    def get(self, request, **kwargs):
        return HttpResponse("ok")

    def put(self, request, **kwargs):
        return HttpResponse("ok")


class Narrow(Answer):
    http_method_names = ["get", "options"]


class Own(View):
    def dispatch(self, request, *args, **kwargs):
        return HttpResponse("any")


class YearConverter:
    regex = "[0-9]{4}"

    def to_python(self, value):
        return int(value)

    def to_url(self, value):
        return "%04d" % value


class EvenConverter:
    regex = r"\d+"

    def to_python(self, value):
        if int(value) % 2:
            raise ValueError("odd")
        return int(value)

    def to_url(self, value):
        return str(value)


class WordConverter:
    regex = r"\w+"

    def to_python(self, value):
        return value

    def to_url(self, value):
        return value


register_converter(YearConverter, "yyyy")
register_converter(EvenConverter, "even")
register_converter(WordConverter, "word")


class Notes(ViewSet):
    def list(self, request, **kwargs):
        return Response([])

    def create(self, request, **kwargs):
        return Response({})

    def retrieve(self, request, pk=None, **kwargs):
        return Response({})

    @action(detail=True, methods=["post", "delete"])
    def seal(self, request, pk=None, **kwargs):
        return Response({})

    @action(detail=False, url_path="of/(?P<year>[0-9]{4})")
    def of_year(self, request, year=None, **kwargs):
        return Response([])


@api_view(["GET", "POST"])
def counted(request):
    return Response({})


simple = SimpleRouter(trailing_slash=False)
simple.register("tags", Notes, basename="tag")
default = DefaultRouter()
default.register("notes", Notes, basename="note")

invoices = [
    path("", answer, name="list"),
    path("new/", require_http_methods(["GET", "POST"])(answer), name="new"),
    path("<int:id>/", csrf_exempt(Answer.as_view()), name="one"),
    path("<int:id>/pdf", require_GET(answer), name="pdf"),
    path("<slug:slug>/", wrapped(require_POST(answer)), name="slug"),
    path("<yyyy:year>/<even:month>/", answer, name="month"),
    path("<uuid:key>", Narrow.as_view(), name="uuid"),
    path("<word:word>!", answer, name="word"),
    path("files/<path:file>", answer, name="file"),
    path("files/<path:file>/edit/", answer, name="edit"),
    path("range/<str:a>-<str:b>/", answer, name="range"),
    path("pair/<int:a>,<int:b>/", answer, name="pair"),
    path("käse/<str:name>/", answer, name="cheese"),
    path("quiet/", no_append_slash(answer), name="quiet"),
]

old = [
    re_path(r"^$", answer, name="root"),
    re_path(r"^(\d+)/$", answer, name="digits"),
    re_path(r"^(?P<slug>[\w-]+)/(?P<page>p\d{1,3})?/?$", answer, name="words"),
    re_path(r"^space\s+end$", answer, name="space"),
    re_path(r"^(?i:Case)/(?P<x>[a-k]+)$", answer, name="case"),
    re_path(r"^(?:a|ab)(?:c|bcd)(d*)$", answer, name="alternatives"),
    re_path(r"^look(?=ahead)", answer, name="look"),
    re_path(r"^open/[^/.]+", answer, name="open"),
    re_path(r"needle", answer, name="needle"),
    re_path(r"^z\Z", answer, name="end"),
    re_path(r"^not\W\D\S/(.)$", answer, name="not"),
    re_path(r"^wörter/(\w+)\b", answer, name="boundary"),
]

tenants = [
    path("", answer, name="home"),
    path("users/", answer, name="users"),
    path("users/<int:id>", answer, name="user"),
    re_path(r"^deep/", include([path("<str:x>/", answer, name="deep"), path("<path:x>", answer, name="deeper")])),
]

urlpatterns = [
    path("", answer, name="index"),
    path("admin/", admin.site.urls),
    path("invoices/", include((invoices, "billing"), namespace="billing")),
    path("copies/", include((invoices, "billing"), namespace="copies")),
    re_path(r"^old/", include((old, "old"))),
    re_path(r"^lazy(?:/v(?P<version>[0-9]+?))?/", include((old, "old"), namespace="lazy")),
    path("api/", include(default.urls)),
    path("api/", include(simple.urls)),
    path("api/counted", counted, name="counted"),
    path("own/", Own.as_view(), name="own"),
    path("t/<slug:tenant>/", include(tenants)),
    path("t/<str:tenant>/", include((tenants, "second"))),
    path("no-slash", answer, name="no-slash"),
    path("double//slash/", answer, name="double"),
    path("dots/../up", answer, name="dots"),
    path("semi;colon/<str:x>;v=1", answer, name="semicolon"),
    path("pct%41/", answer, name="percent"),
    *i18n_patterns(path("about/", answer, name="about"), path(_("contact/"), answer, name="contact")),
    *i18n_patterns(path("terms/", answer, name="terms"), prefix_default_language=False),
    re_path(r"^tail/.*$", answer, name="tail"),
]
