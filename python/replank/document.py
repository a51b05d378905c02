"""The exported document: one JSON file, described by docs/export.schema.json of Replank."""

import json
import os
import sys
import tempfile
import traceback

from . import __version__

FORMAT = "replank-history"
VERSION = 1


class ExportError(Exception):
    """The project cannot be exported; the text says why, for the person who runs it."""


class NeedsDatabase(Exception):
    """Something asked the database, and an export has none."""


def new(framework, framework_version):
    return {
        "format": FORMAT,
        "version": VERSION,
        "generator": f"replank {__version__}",
        "framework": {"name": framework, "version": framework_version},
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def relative(path, root):
    """A path below the root as one relative to it, with slashes; others stay absolute."""
    if not path:
        return ""
    path = os.path.abspath(path)
    if path.startswith(root + os.sep):
        path = path[len(root) + 1 :]
    return path.replace(os.sep, "/")


def patch(before, after):
    """The JSON Merge Patch (RFC 7386) that turns one object into the other. Neither holds null."""
    changes = {k: None for k in before if k not in after}
    for k, v in after.items():
        old = before.get(k)
        if isinstance(v, dict) and isinstance(old, dict):
            if inner := patch(old, v):
                changes[k] = inner
        elif v != old:
            changes[k] = v
    return changes


def write(document, path):
    """Write the whole document or nothing; "-" is standard output."""
    if path == "-":
        json.dump(document, sys.stdout, ensure_ascii=False, separators=(",", ":"))
        sys.stdout.write("\n")
        return
    folder = os.path.dirname(os.path.abspath(path))
    handle, name = tempfile.mkstemp(dir=folder, prefix=".replank-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            f.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
            f.write("\n")
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def last_line(error):
    """What the last line of a traceback says."""
    lines = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()
    return lines[0] if len(lines) > 1 and isinstance(error, ExportError) else lines[-1]


def _imported(error):
    """The file that was imported when the error came: one that is no text has no name in its SyntaxError."""
    frame, found = error.__traceback__, ""
    while frame is not None:
        path = frame.tb_frame.f_locals.get("source_path") or frame.tb_frame.f_locals.get("path")
        found = path if isinstance(path, str) and path.endswith(".py") else found
        frame = frame.tb_next
    return found


def fail(error):
    """Report an error on standard error; the exit code for it."""
    if isinstance(error, ExportError):
        print(f"replank: {error}", file=sys.stderr)
    else:
        where = traceback.extract_tb(error.__traceback__)
        place = f" ({where[-1].filename}:{where[-1].lineno})" if where else ""
        if isinstance(error, SyntaxError):
            place = f" ({error.filename or _imported(error)}:{error.lineno or 1})"
        print(f"replank: the project cannot be loaded: {last_line(error)}{place}", file=sys.stderr)
    return 2
