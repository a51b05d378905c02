"""What linters of PyPI say of forms: [[statement, ...], ...] on standard input, and on standard output, for each linter
and version of PostgreSQL, whether it blames a form for its work on rows."""

import json
import sys

from django_migration_linter.sql_analyser import PostgresqlAnalyser
from django_migration_linter.sql_analyser.analyser import analyse_sql_statements
from pg_migration_guard import checker

VERSIONS = range(12, 19)
CLIENTS = ("RENAME_TABLE", "RENAME_COLUMN", "DROP_TABLE", "DROP_COLUMN")


def django_linter(statements, version):
    errors, _, warnings = analyse_sql_statements(PostgresqlAnalyser, [s + ";" for s in statements])
    return any(issue.code not in CLIENTS for issue in [*errors, *warnings])


def guard(statements, version):
    try:
        report = checker.build_report("form.sql", ";\n".join(statements) + ";\n", pg_version=version)
    except (ValueError, RecursionError):
        return False
    for f in report["findings"]:
        if f["severity"] == "advisory" or f["rule_id"] == "LCK01":
            continue
        if f["rule_id"] != "DES01" or f["matched_sql"].lstrip().upper().startswith("TRUNCATE"):
            return True
    return False


forms = json.load(sys.stdin)
json.dump(
    [
        {"linter": name, "blames": {v: [judge(f, v) for f in forms] for v in VERSIONS}}
        for name, judge in [("django-migration-linter", django_linter), ("pg-migration-guard", guard)]
    ],
    sys.stdout,
)
