from django.core.management.base import BaseCommand

from replank import document
from replank.django import export


class Command(BaseCommand):
    help = "Writes the whole migration history as one JSON file for Replank. Needs no database."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser):
        export.add_arguments(parser.add_subparsers(dest="action", required=True).add_parser("export"))

    def handle(self, *args, **options):
        try:
            export.run(options["output"], options["server_version"], options["root"], options["models"])
        except document.ExportError as e:
            raise SystemExit(document.fail(e)) from None
