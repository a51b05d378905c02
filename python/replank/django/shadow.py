"""Shadow requests of the gateway change nothing.

Put `replank.django.shadow.ReadOnly` behind `replank.django.middleware.Gateway` in MIDDLEWARE, before everything that uses
a database. What the gateway sends only to compare answers (`Replank-Shadow`) then runs in one read-only transaction on each
database, which is rolled back: PostgreSQL refuses what writes, and what waits for the commit (`transaction.on_commit`)
never runs. REPLANK_SHADOW_DATABASES names the databases; without it, all of PostgreSQL are meant.

Each such answer says whether something was refused, and /.replank/shadow tries: it writes, and says what became of it.
"""

from contextlib import ExitStack, contextmanager

from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.http import HttpResponse

READ_ONLY = "Replank-Shadow-Read-Only"  # on, refused
CHECK = "/.replank/shadow"
REFUSES = {"25006", "42501"}  # read_only_sql_transaction, insufficient_privilege


class Refused:
    """Counts what the server has refused to write, as a wrapper of execute."""

    def __init__(self):
        self.count = 0

    def __call__(self, execute, sql, params, many, context):
        try:
            return execute(sql, params, many, context)
        except DatabaseError as e:
            if getattr(e.__cause__, "sqlstate", None) == "25006":
                self.count += 1
            raise


class ReadOnly:
    def __init__(self, get_response):
        self.get_response = get_response
        self.databases = getattr(settings, "REPLANK_SHADOW_DATABASES", None)

    def __call__(self, request):
        if request.path_info == CHECK:
            return self.check()
        if "HTTP_REPLANK_SHADOW" not in request.META:
            return self.get_response(request)
        refused = Refused()
        with ExitStack() as stack:
            for connection in self.connections():
                stack.enter_context(read_only(connection))
                stack.enter_context(connection.execute_wrapper(refused))
            response = self.get_response(request)
            if response.streaming and not response.is_async:
                # Its parts are made here: after the transaction they could write.
                try:
                    response.streaming_content = list(response.streaming_content)
                except DatabaseError as e:
                    response = HttpResponse(str(e), status=500, content_type="text/plain")
        response[READ_ONLY] = "refused" if refused.count else "on"
        return response

    def connections(self):
        if self.databases is not None:
            return [connections[alias] for alias in self.databases]
        return [c for c in connections.all() if c.vendor == "postgresql"]

    def check(self):
        """204 if a write in such a transaction is refused on every database."""
        for connection in self.connections():
            try:
                with read_only(connection), connection.cursor() as cursor:
                    cursor.execute("CREATE TABLE replank_shadow_check ()")
            except DatabaseError as e:
                if getattr(e.__cause__, "sqlstate", None) in REFUSES:
                    continue
                return HttpResponse(f"{connection.alias}: {e}", status=500, content_type="text/plain")
            # It was rolled back with the transaction.
            return HttpResponse(f"{connection.alias} was written to", status=500, content_type="text/plain")
        response = HttpResponse(status=204)
        response[READ_ONLY] = "refused"
        return response


@contextmanager
def read_only(connection):
    """A transaction that cannot write, and is rolled back whatever happens. Nothing of it stays with the connection, so
    a pooler may give that to others."""
    with transaction.atomic(using=connection.alias):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
            yield
        finally:
            transaction.set_rollback(True, using=connection.alias)
