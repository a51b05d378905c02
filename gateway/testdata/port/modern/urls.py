"""The new application has what is ported so far: what the file PORTED names when a worker starts."""

from django.conf import settings
from django.db import connection
from django.http import JsonResponse
from django.urls import path


def entries(request, name):
    with connection.cursor() as cursor:
        if request.method == "POST":
            cursor.execute("INSERT INTO entry (name, by, note) VALUES (%s, 'modern', %s)", [name, request.POST["note"]])
        cursor.execute("SELECT count(*) FROM entry WHERE name = %s", [name])
        return JsonResponse({"by": "modern", "count": cursor.fetchone()[0]})


urlpatterns = [path(f"{name}/", entries, {"name": name}) for name in settings.PORTED]
