"""A revision that takes tables over or gives them up: it has a place in the history, and does nothing."""

import os

from replank.document import ExportError


def run(config, section, message, why, write):
    """{name, path, text}"""
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import rev_id

    if not os.path.isfile(config):
        raise ExportError(f"there is no {config}; name it with -c")
    script = ScriptDirectory.from_config(Config(config, ini_section=section))
    if len(script.get_heads()) > 1:
        raise ExportError(f"several heads ({', '.join(script.get_heads())}); merge them with `alembic merge heads`")
    if not write:
        return {"name": "", "path": os.path.join(script.versions, "…_" + message.replace(" ", "_") + ".py"), "text": ""}
    made = script.generate_revision(rev_id(), message, head="head")
    with open(made.path, encoding="utf-8") as f:
        text = "".join(f"# {line}\n" for line in why.splitlines()) + f.read()
    with open(made.path, "w", encoding="utf-8") as f:
        f.write(text)
    return {"name": made.revision, "path": made.path, "text": text}
