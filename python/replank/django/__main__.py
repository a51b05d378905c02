"""python -m replank.django export|run|routes [--manage manage.py | --settings MODULE]"""

import argparse
import os
import runpy
import sys

from replank import document


def main(argv=None):
    # -m puts the current folder first; the folder of this package must not hide Django.
    parser = argparse.ArgumentParser(prog="python -m replank.django")
    commands = parser.add_subparsers(dest="action", required=True)
    exporting = commands.add_parser("export", help="write the whole migration history as one JSON file")
    running = commands.add_parser("run", help="run code of migrations for replank, which asks on standard input")
    adopting = commands.add_parser("adopt", help="write migrations that take tables over or give them up, for replank adopt")
    routing = commands.add_parser("routes", help="write the routes of the URLconf, for replank gateway")
    for command in (exporting, running, adopting, routing):
        where = command.add_mutually_exclusive_group()
        where.add_argument("--manage", metavar="FILE", help="the project's manage.py (default: ./manage.py)")
        where.add_argument("--settings", metavar="MODULE", help="the settings module, without a manage.py")
    _add_arguments(exporting)
    running.add_argument("--root", metavar="FOLDER", help="the folder of the project (default: here)")
    adopting.add_argument("-o", "--output", default="-", metavar="FILE", help="default: standard output")
    adopting.add_argument("--model", action="append", default=[], metavar="APP.MODEL", help="a model of the tables")
    adopting.add_argument("--name", required=True, help="of the migrations, behind their number")
    adopting.add_argument("--why", default="", help="for a comment at the top of the files")
    adopting.add_argument("--write", action="store_true", help="write the files (default: print them)")
    adopting.set_defaults(root=None)
    routing.add_argument("-o", "--output", default="-", metavar="FILE", help="default: standard output")
    routing.add_argument("--root", metavar="FOLDER", help="paths in the document are relative to it (default: here)")
    args = parser.parse_args(argv)
    try:
        if args.settings:
            os.environ["DJANGO_SETTINGS_MODULE"] = args.settings
            sys.path.insert(0, os.path.abspath(args.root or "."))
            _setup(args)
        else:
            _through(args.manage or "manage.py", args)
    except document.NeedsDatabase as e:
        return document.fail(document.ExportError(str(e)))
    except (Exception, SystemExit) as e:
        if isinstance(e, SystemExit) and e.code in (0, None):
            return 0
        return document.fail(e)
    return 0


def _add_arguments(parser):
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="default: standard output")
    parser.add_argument(
        "--server-version", type=int, default=180000, metavar="NUMBER",
        help="server_version_num of the PostgreSQL that the SQL is for (default: 180000)",
    )  # fmt: skip
    parser.add_argument("--root", metavar="FOLDER", help="paths in the document are relative to it (default: here)")
    parser.add_argument(
        "--models", action="store_true", help="the tables of the models as the code has them, too: for replank drift"
    )


def _setup(args):
    import django

    django.setup()
    _run(args)


def _run(args):
    if args.action == "run":
        from replank import worker
        from replank.django import run

        worker.serve(run.run)
        return
    if args.action == "routes":
        from replank.django import routes

        document.write(routes.document(args.root), args.output)
        return
    from replank.django import adopt, export

    if args.action == "adopt":
        document.write(adopt.run(args.model, args.name, args.why, args.write), args.output)
        return
    export.run(args.output, args.server_version, args.root, args.models)


def _through(manage, args):
    """Run manage.py as it is, up to where Django would look for the command: it may set more than the settings."""
    if not os.path.isfile(manage):
        raise document.ExportError(f"there is no {manage}; name it with --manage, or the settings with --settings")
    from django.core import management

    done = []

    def execute(self):
        done.append(True)
        _setup(args)

    management.ManagementUtility.execute = execute
    sys.argv = [manage, "replank", args.action]
    sys.path.insert(0, os.path.dirname(os.path.abspath(manage)))
    runpy.run_path(manage, run_name="__main__")
    if not done:
        raise document.ExportError(f"{manage} ended without running a Django command; use --settings")


if __name__ == "__main__":
    sys.exit(main())
