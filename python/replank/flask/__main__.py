"""python -m replank.flask routes MODULE:APP"""

import argparse
import os
import sys

from replank import document


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m replank.flask")
    commands = parser.add_subparsers(dest="action", required=True)
    routing = commands.add_parser("routes", help="write the routes of the url_map, for replank gateway")
    routing.add_argument("app", metavar="MODULE:APP", help="as for flask --app: shop.wsgi:app, or 'shop:create_app()'")
    routing.add_argument("-o", "--output", default="-", metavar="FILE", help="default: standard output")
    routing.add_argument("--root", metavar="FOLDER", help="paths in the document are relative to it (default: here)")
    args = parser.parse_args(argv)
    # As the flask program does: the application is imported from here.
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        from flask.cli import ScriptInfo

        from replank.flask import routes

        # What the application prints while it is loaded is not ours to mix with the document.
        out, sys.stdout = sys.stdout, sys.stderr
        try:
            found = routes.document(ScriptInfo(app_import_path=args.app).load_app(), args.root)
        finally:
            sys.stdout = out
        document.write(found, args.output)
    except (Exception, SystemExit) as e:
        return document.fail(e)
    return 0


if __name__ == "__main__":
    sys.exit(main())
