"""python -m replank.alembic export|run [-c alembic.ini]"""

import argparse
import os
import sys

from replank import document


def main(argv=None):
    parser = argparse.ArgumentParser(prog="replank-alembic")
    commands = parser.add_subparsers(dest="action", required=True)
    command = commands.add_parser("export", help="write the whole migration history as one JSON file")
    running = commands.add_parser("run", help="run code of revisions for replank, which asks on standard input")
    adopting = commands.add_parser("adopt", help="write a revision that takes tables over or gives them up, for replank adopt")
    for one in (command, running, adopting):
        one.add_argument("-c", "--config", default="alembic.ini", metavar="FILE", help="default: ./alembic.ini")
        one.add_argument("-n", "--name", default="alembic", metavar="SECTION", help="section of the ini file")
    for one in (command, adopting):
        one.add_argument("-o", "--output", default="-", metavar="FILE", help="default: standard output")
    adopting.add_argument("--message", required=True, help="of the revision")
    adopting.add_argument("--why", default="", help="for a comment at the top of the file")
    adopting.add_argument("--write", action="store_true", help="write the file (default: say where it would be)")
    command.add_argument("-x", dest="x", action="append", metavar="KEY=VALUE", help="for env.py, as alembic's -x")
    command.add_argument("--root", metavar="FOLDER", help="paths in the document are relative to it (default: here)")
    args = parser.parse_args(argv)
    root = os.path.abspath(getattr(args, "root", None) or os.getcwd())
    # As the alembic program does: env.py imports the application from here.
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        if args.action == "run":
            from replank import worker
            from replank.alembic import run

            worker.serve(run.runner(args.config, args.name))
            return 0
        from replank.alembic import adopt, export

        # What env.py prints is not ours to mix with the document.
        out, sys.stdout = sys.stdout, sys.stderr
        try:
            if args.action == "adopt":
                doc = [adopt.run(args.config, args.name, args.message, args.why, args.write)]
            else:
                doc = export.project(args.config, args.name, args.x, root)
        finally:
            sys.stdout = out
        document.write(doc, args.output)
    except (Exception, SystemExit) as e:
        return document.fail(e)
    return 0


if __name__ == "__main__":
    sys.exit(main())
