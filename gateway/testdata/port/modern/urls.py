"""The new application has what is ported so far: what the file PORTED names when a worker starts."""

from django.conf import settings
from django.db import connection
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path


def entries(request, name):
    with connection.cursor() as cursor:
        if request.method == "POST":
            cursor.execute("INSERT INTO entry (name, by, note) VALUES (%s, 'modern', %s)", [name, request.POST["note"]])
        cursor.execute("SELECT count(*) FROM entry WHERE name = %s", [name])
        return JsonResponse({"by": "modern", "count": cursor.fetchone()[0]})


def wrote(request, later=False):
    """A page that writes although it is only looked at: at once, or while it is sent."""

    def parts():
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO entry (name, by, note) VALUES ('looked', 'modern', '')")
        yield "written"

    return StreamingHttpResponse(parts() if later else list(parts()))


urlpatterns = [path(f"{name}/", entries, {"name": name}) for name in settings.PORTED]
urlpatterns += [path("wrote/", wrote), path("later/", wrote, {"later": True})]
