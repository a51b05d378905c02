"""Runs code of migrations for the program replank: one JSON request a line on standard input, one answer a line on
standard output, until standard input ends. Who asks writes the journal in the same transaction as the code, by the
statements of the request."""

import json
import os
import queue
import signal
import sys
import threading
import traceback


class Refused(Exception):
    """The code was not run, or what it did was rolled back; the text says why."""


def serve(run):
    """Answer with what run(request) does, which returns nothing and raises what goes wrong."""
    requests, answers = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What code reads is nothing, and what it prints is not ours to mix with the answers.
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    # An operator's Ctrl-C is for replank, which decides what is to be stopped.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    waiting = queue.SimpleQueue()

    def listen():
        for line in requests:
            waiting.put(json.loads(line))
        # Who asked is gone, in the middle of something perhaps: its transaction must not be committed any more.
        os._exit(75)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        request = waiting.get()
        answer = {}
        try:
            run(request)
        except BaseException as e:  # SystemExit of some code is an error like another
            answer = failure(e)
        sys.stdout.flush()
        print(json.dumps(answer), file=answers, flush=True)


def failure(error):
    """What replank is told of an exception, and its traceback for people on standard error."""
    if not isinstance(error, Refused):
        traceback.print_exception(error)
    said = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()
    return {"error": str(error) if isinstance(error, Refused) else said[-1], "sqlstate": _sqlstate(error)}


def _sqlstate(error):
    """The SQLSTATE behind an exception: frameworks wrap those of the driver."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for e in (error, getattr(error, "orig", None)):
            state = getattr(e, "sqlstate", None) or getattr(e, "pgcode", None)
            if isinstance(state, str):
                return state
        error = error.__cause__ or error.__context__
    return ""


def as_ourselves(execute, sql):
    """Execute one statement on the journal in the transaction that is open: as the role that connected, whatever role
    the code has. It returns a row, or the lease has passed on and nothing may be committed."""
    role = execute("SELECT current_setting('role')")[0]
    execute("SELECT pg_catalog.set_config('role', 'none', true)")
    if execute(sql) is None:
        raise Refused("another executor has taken over, or this is another database than the one that replank changes")
    execute("SELECT pg_catalog.set_config('role', '" + role.replace("'", "''") + "', true)")
