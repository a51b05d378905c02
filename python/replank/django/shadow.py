"""Nothing stays of shadow requests of the gateway.

Put `replank.django.shadow.ReadOnly` behind `replank.django.middleware.Gateway` in MIDDLEWARE, before everything that uses
a database. What the gateway sends only to compare answers (`Replank-Shadow`) then runs in one transaction on each database,
which is rolled back: what waits for the commit (`transaction.on_commit`) never runs. The transaction is read-only, so that
PostgreSQL refuses what writes, unless the route was opted in for requests that write. REPLANK_SHADOW_DATABASES names the
databases; without it, all of PostgreSQL are meant.

Each such answer says how it was guarded, and /.replank/shadow tries: it writes, and says what became of it.
"""

from contextlib import ExitStack, contextmanager

from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.http import HttpResponse

GUARD = "Replank-Shadow-Guard"  # read-only, refused, rolled-back
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
        shadow = request.META.get("HTTP_REPLANK_SHADOW")
        if not shadow:
            return self.get_response(request)
        refused = Refused()
        writes = shadow == "write"
        with ExitStack() as stack:
            for connection in self.connections():
                stack.enter_context(undone(connection, writes))
                stack.enter_context(connection.execute_wrapper(refused))
            response = self.get_response(request)
            if response.streaming and not response.is_async:
                # Its parts are made here: after the transaction they could write.
                try:
                    response.streaming_content = list(response.streaming_content)
                except DatabaseError as e:
                    response = HttpResponse(str(e), status=500, content_type="text/plain")
        response[GUARD] = "refused" if refused.count else "rolled-back" if writes else "read-only"
        return response

    def connections(self):
        if self.databases is not None:
            return [connections[alias] for alias in self.databases]
        return [c for c in connections.all() if c.vendor == "postgresql"]

    def check(self):
        """204 if on every database nothing stays of what is written: it is rolled back, or refused."""
        for connection in self.connections():
            wrong = self.wrong(connection)
            if wrong:
                return HttpResponse(f"{connection.alias}: {wrong}", status=500, content_type="text/plain")
        response = HttpResponse(status=204)
        response[GUARD] = "refused"
        return response

    def wrong(self, connection):
        try:
            # A transaction that has written has a number, and the server knows what became of it.
            with undone(connection, True), connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()::text")
                (number,) = cursor.fetchone()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_xact_status(%s::xid8)", [number])
                (status,) = cursor.fetchone()
            if status != "aborted":
                return f"what a shadow request does is {status}"
        except DatabaseError as e:
            if getattr(e.__cause__, "sqlstate", None) not in REFUSES:
                return str(e)
        try:
            with undone(connection, False), connection.cursor() as cursor:
                cursor.execute("CREATE TABLE replank_shadow_check ()")
            return "it was written to"
        except DatabaseError as e:
            return None if getattr(e.__cause__, "sqlstate", None) in REFUSES else str(e)


@contextmanager
def undone(connection, writes):
    """A transaction that is rolled back whatever happens. Nothing of it stays with the connection, so a pooler may give
    that to others."""
    with transaction.atomic(using=connection.alias):
        try:
            if not writes:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION READ ONLY")
            yield
        finally:
            transaction.set_rollback(True, using=connection.alias)
