"""What the text of a revision says about its functions, of which nothing else is known."""

import ast

# What op does besides changing the schema.
QUIET = {"get_bind", "get_context", "bulk_insert", "inline_literal", "f"}


def look(path):
    """How a revision's code has to be run, and whether anything takes it back."""
    with open(path, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    # Statements of upgrade() and of what it calls; downgrade() is another matter.
    changes = any(
        isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in ("op", "batch_op") and n.attr not in QUIET
        for name, function in functions.items() if name != "downgrade"
        for n in ast.walk(function)
    )  # fmt: skip
    return {
        "atomic": not names & {"autocommit_block", "execution_options"},
        "schema": changes,
        "back": "code" if _does_something(functions.get("downgrade")) else "none",
    }


def _does_something(function):
    """A downgrade() that only passes takes nothing back, nor does one that only raises."""
    if function is None:
        return False
    body = [n for n in function.body if not isinstance(n, ast.Pass) and not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    return bool(body) and not isinstance(body[0], ast.Raise)
