"""What constraints, indexes and sequences a database has after a list of SQL statements.

Django asks the database for the names of constraints before it alters or drops them. The export has no
database, so it answers from the statements that came before: it follows what they create, drop and rename, and
names what they leave unnamed as PostgreSQL does. Statements it does not know (or cannot read) change nothing.
"""

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<string>[eE]'(?:[^'\\]|\\.|'')*'|(?:[uU]&|[bBxX])?'(?:[^']|'')*'|(?P<dollar>\$(?:[A-Za-z_]\w*)?\$).*?(?P=dollar))
  | "(?P<quoted>(?:[^"]|"")*)"
  | (?P<word>[^\W\d][\w$]*)
  | (?P<other>\d+(?:\.\d+)?|::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
NAME_BYTES = 63


class Word(str):
    """An unquoted name or keyword, in lower case."""


class Quoted(str):
    """A quoted name, as it is."""


def tokens(text):
    found = []
    for m in _TOKEN.finditer(text):
        kind = m.lastgroup
        if kind == "space":
            continue
        if kind == "word":
            found.append(Word(m.group().lower()))
        elif kind == "quoted":
            found.append(Quoted(m.group("quoted").replace('""', '"')))
        else:
            found.append(m.group())
    return found


def split(toks, separator):
    """Parts of a token list at a separator that stands outside of brackets."""
    parts, depth = [[]], 0
    for t in toks:
        if isinstance(t, str) and not isinstance(t, Quoted):
            if t in "([" and len(t) == 1:
                depth += 1
            elif t in ")]" and len(t) == 1:
                depth -= 1
            elif t == separator and depth == 0:
                parts.append([])
                continue
        parts[-1].append(t)
    return [p for p in parts if p]


@lru_cache(maxsize=4096)
def statements(text):
    """The statements of a text, as token lists."""
    return split(tokens(text), ";")


def clip(name, size):
    return name.encode()[:size].decode(errors="ignore")


def object_name(first, second, label):
    """A name of at most 63 bytes: the longer part is cut first (makeObjectName of PostgreSQL)."""
    room = NAME_BYTES - len(label.encode()) - 1 - (1 if second else 0)
    a, b = len(first.encode()), len(second.encode()) if second else 0
    while a + b > room:
        if a > b:
            a -= 1
        else:
            b -= 1
    return "_".join([clip(first, a), *([clip(second, b)] if second else []), label])


class Reader:
    """A position in a token list."""

    def __init__(self, toks):
        self.toks, self.at = toks, 0

    def peek(self):
        return self.toks[self.at] if self.at < len(self.toks) else ""

    def next(self):
        t = self.peek()
        self.at += 1
        return t

    def skip(self, *words):
        """Pass over these keywords if they all stand here."""
        here = self.toks[self.at : self.at + len(words)]
        if len(here) == len(words) and all(
            h == w and not isinstance(h, Quoted) for h, w in zip(here, words)
        ):
            self.at += len(words)
            return True
        return False

    def name(self):
        """A name, perhaps with its schema."""
        parts = [str(self.next())]
        while self.peek() == "." and not isinstance(self.peek(), Quoted):
            self.next()
            parts.append(str(self.next()))
        return tuple(parts)

    def brackets(self):
        """What stands in the brackets here, without them."""
        if self.peek() != "(":
            return []
        depth, start = 0, self.at + 1
        while self.at < len(self.toks):
            t = self.next()
            if isinstance(t, Quoted):
                continue
            depth += (t == "(") - (t == ")")
            if depth == 0:
                return self.toks[start : self.at - 1]
        return self.toks[start:]

    def rest(self):
        return self.toks[self.at :]


class Table:
    def __init__(self, name):
        self.name = name
        self.columns = []
        self.constraints = {}  # name → {"kind": p|u|f|c|x, "columns", "to": (table, column)}
        self.indexes = {}  # name → {"columns", "unique", "method", "orders", "expression", "options"}
        self.sequences = {}  # column → name

    def copy(self):
        new = Table(self.name)
        new.columns, new.sequences = list(self.columns), dict(self.sequences)
        new.constraints = {n: dict(c) for n, c in self.constraints.items()}
        new.indexes = {n: dict(i) for n, i in self.indexes.items()}
        return new


class Catalog:
    """search_path[0] is where names without a schema are made."""

    def __init__(self, search_path=("public",)):
        self.search_path = tuple(search_path)
        self.tables = {}  # (schema, name) → Table
        self.collations = {}  # name → deterministic
        self._named = set()  # every word of every statement, and the names that were made: others are free

    # What is asked.

    def visible(self, name):
        """The table that a name without a schema means."""
        for schema in self.search_path:
            if (schema, name) in self.tables:
                return self.tables[schema, name]
        return None

    def copy_tables(self):
        return {key: table.copy() for key, table in self.tables.items()}

    # What statements do.

    def run(self, text):
        for toks in statements(text):
            self._named.update(toks)
            try:
                self._statement(Reader(toks))
            except (IndexError, KeyError, ValueError):
                pass  # half understood: nothing that Django writes

    def _key(self, name):
        if len(name) > 1:
            return name[-2], name[-1]
        found = self.visible(name[0])
        if found is not None:
            for schema in self.search_path:
                if self.tables.get((schema, name[0])) is found:
                    return schema, name[0]
        return self.search_path[0], name[0]

    def _statement(self, r):
        if r.skip("create"):
            r.skip("or", "replace")
            for kind in ("temporary", "temp", "unlogged"):
                r.skip(kind)
            if r.skip("table"):
                self._create_table(r)
            elif r.skip("collation"):
                r.skip("if", "not", "exists")
                name = r.name()[-1]
                self.collations[name] = "deterministic=false" not in "".join(map(str, r.rest()))
            else:
                unique = r.skip("unique")
                if r.skip("index"):
                    self._create_index(r, unique)
        elif r.skip("drop"):
            if r.skip("table"):
                r.skip("if", "exists")
                for part in split([t for t in r.rest() if t not in ("cascade", "restrict")], ","):
                    self._drop_table(self._key(Reader(part).name()))
            elif r.skip("index"):
                r.skip("concurrently")
                r.skip("if", "exists")
                for part in split(r.rest(), ","):
                    self._drop_index(Reader(part).name()[-1])
        elif r.skip("alter"):
            if r.skip("table"):
                self._alter_table(r)
            elif r.skip("index"):
                r.skip("if", "exists")
                old = r.name()[-1]
                if r.skip("rename", "to"):
                    self._rename_index(old, r.name()[-1])
            elif r.skip("sequence"):
                r.skip("if", "exists")
                old = r.name()[-1]
                if r.skip("rename", "to"):
                    new = r.name()[-1]
                    for t in self.tables.values():
                        t.sequences = {c: new if s == old else s for c, s in t.sequences.items()}

    def _create_table(self, r):
        exists = r.skip("if", "not", "exists")
        name = r.name()
        key = (name[-2], name[-1]) if len(name) > 1 else (self.search_path[0], name[0])
        if exists and key in self.tables:
            return
        table = self.tables[key] = Table(key)
        items = [Reader(item) for item in split(r.brackets(), ",")]
        # Columns first, so that a check knows which ones it names; then constraints in PostgreSQL's order.
        pending = []
        for item in items:
            if self._is_constraint(item):
                pending.append((item, None))
            else:
                pending += self._column(table, item)
        pending.sort(key=lambda p: {"check": 0, "primary": 1, "unique": 2}.get(self._what(p[0]), 3))
        for item, column in pending:
            self._constraint(table, item, column)

    @staticmethod
    def _is_constraint(r):
        t = r.peek()
        return not isinstance(t, Quoted) and t in (
            "constraint", "unique", "primary", "check", "foreign", "exclude", "like",
        )  # fmt: skip

    @staticmethod
    def _what(r):
        here = Reader(r.rest())
        if here.skip("constraint"):
            here.next()
        return here.peek()

    def _column(self, table, r):
        """Add a column; what it says of constraints comes back as (reader, column)."""
        column = str(r.next())
        if column not in table.columns:
            table.columns.append(column)
        found, name, first = [], None, r.at
        while r.at < len(r.toks):
            t = r.peek()
            if isinstance(t, Quoted) or not isinstance(t, Word):
                if t == "(":
                    r.brackets()
                else:
                    r.next()
            elif r.skip("constraint"):
                name = r.next()
            elif t in ("unique", "check", "references") or (t == "primary"):
                start = r.at
                r.next()
                if t == "check":
                    r.brackets()
                elif t == "references":
                    r.name()
                    r.brackets()
                elif t == "primary":
                    r.next()
                prefix = [Word("constraint"), name] if name is not None else []
                found.append((Reader(prefix + r.toks[start : r.at]), column))
                name = None
            elif t == "identity" or (
                r.at == first and t in ("serial", "bigserial", "smallserial", "serial4", "serial8", "serial2")
            ):
                table.sequences[column] = self._free(object_name(table.name[1], column, "seq"), table)
                r.next()
            else:
                r.next()
        return found

    def _taken(self, name, schema):
        if name not in self._named:
            return False
        if (schema, name) in self.tables:
            return True
        for (home, _), t in self.tables.items():  # no any(): this is asked for every key of thousands of tables
            if home == schema and (name in t.indexes or name in t.constraints or t.sequences and name in t.sequences.values()):
                return True
        return False

    def _free(self, name, table):
        """A name that no relation and no constraint has, as PostgreSQL finds one: with a number behind."""
        free, n = name, 0
        while self._taken(free, table.name[0]):
            n += 1
            stem, _, label = name.rpartition("_")
            free = object_name(stem, "", label + str(n))
        self._named.add(free)
        return free

    def _constraint(self, table, r, column):
        name = None
        if r.skip("constraint"):
            name = str(r.next())
        kind, to, index, own = None, None, None, {}
        if r.skip("primary", "key"):
            kind, label = "p", "pkey"
        elif r.skip("unique"):
            kind, label = "u", "key"
            r.skip("nulls", "not", "distinct") or r.skip("nulls", "distinct")
        elif r.skip("check"):
            kind, label = "c", "check"
        elif r.skip("foreign", "key") or r.peek() == "references":
            kind, label = "f", "fkey"
        elif r.skip("exclude"):
            kind, label = "x", "excl"
        else:
            return
        columns = [column] if column else []
        if kind in "pu" and r.skip("using", "index"):
            index = r.name()[-1]
            own = table.indexes.pop(index, {})
            columns = own.get("columns", [])
            name = name or index
        elif kind in "puf" and not column:
            columns = [str(part[0]) for part in split(r.brackets(), ",")]
        elif kind == "c":
            inside = {str(t) for t in r.brackets()}
            columns = [c for c in table.columns if c in inside]
        elif kind == "x":
            if r.skip("using"):
                r.next()
            columns = [str(p[0]) for p in split(r.brackets(), ",") if p[0] in table.columns]
        if kind == "f" and r.skip("references"):
            target = self._key(r.name())
            there = [str(t) for t in r.brackets() if t != ","]
            to = (target, there[0] if there else self._primary(target))
        if name is None:
            middle = "" if kind == "p" or (kind == "c" and len(columns) != 1) else "_".join(columns)
            name = self._free(object_name(table.name[1], middle, label), table)
        table.constraints[name] = {"kind": kind, "columns": columns, "to": to}

    def _primary(self, key):
        table = self.tables.get(key)
        for c in table.constraints.values() if table else ():
            if c["kind"] == "p" and c["columns"]:
                return c["columns"][0]
        return "id"

    def _create_index(self, r, unique):
        r.skip("concurrently")
        exists = r.skip("if", "not", "exists")
        name = None if r.peek() == "on" and not isinstance(r.peek(), Quoted) else str(r.name()[-1])
        r.next()  # ON
        r.skip("only")
        table = self.tables[self._key(r.name())]
        if exists and name is not None and self._taken(name, table.name[0]):
            return
        method = str(r.next()) if r.skip("using") else "btree"
        columns, orders = [], []
        for part in split(r.brackets(), ","):
            plain = str(part[0]) in table.columns and (len(part) == 1 or part[1] not in ("(", "."))
            columns.append(str(part[0]) if plain else None)
            orders.append(("DESC" if "desc" in part else "ASC") if method == "btree" else None)
        options = None
        if r.skip("include"):
            for part in split(r.brackets(), ","):
                columns.append(str(part[0]))
                orders.append("ASC" if method == "btree" else None)
        r.skip("nulls", "not", "distinct") or r.skip("nulls", "distinct")
        if r.skip("with"):
            options = ["".join(map(str, p)) for p in split(r.brackets(), ",")]
        if name is None:
            name = self._free(object_name(table.name[1], "_".join(c or "expr" for c in columns), "idx"), table)
        table.indexes[name] = {
            "columns": columns, "orders": orders, "unique": unique, "method": method,
            "expression": None in columns, "options": options,
        }  # fmt: skip

    def _drop_table(self, key):
        if self.tables.pop(key, None) is not None:
            self._drop_references(lambda to: to[0] == key)

    def _drop_references(self, match):
        for t in self.tables.values():
            for name in [n for n, c in t.constraints.items() if c["to"] and match(c["to"])]:
                del t.constraints[name]

    def _drop_index(self, name):
        for t in self.tables.values():
            if t.indexes.pop(name, None) is not None:
                return

    def _rename_index(self, old, new):
        for t in self.tables.values():
            for named in (t.indexes, t.constraints):
                if old in named:
                    _rename(named, old, new)
                    return

    def _alter_table(self, r):
        r.skip("if", "exists")
        r.skip("only")
        key = self._key(r.name())
        if key not in self.tables:
            # A rename of an index or a sequence may be written as one of a table.
            if r.skip("rename", "to"):
                self._rename_index(key[1], r.name()[-1])
            return
        for action in split(r.rest(), ","):
            key = self._action(key, Reader(action))

    def _action(self, key, r):
        table = self.tables[key]
        if r.skip("rename"):
            if r.skip("to"):
                return self._move(key, (key[0], r.name()[-1]))
            if r.skip("constraint"):
                old = str(r.next())
                r.skip("to")
                _rename(table.constraints, old, str(r.next()))
                return key
            r.skip("column")
            old = str(r.next())
            r.skip("to")
            self._rename_column(table, old, str(r.next()))
        elif r.skip("set", "schema"):
            return self._move(key, (str(r.next()), key[1]))
        elif r.skip("add"):
            if self._is_constraint(r):
                self._constraint(table, r, None)
            else:
                r.skip("column")
                if r.skip("if", "not", "exists") and str(r.peek()) in table.columns:
                    return key
                for item, column in self._column(table, r):
                    self._constraint(table, item, column)
        elif r.skip("drop"):
            if r.skip("constraint"):
                r.skip("if", "exists")
                table.constraints.pop(str(r.next()), None)
            else:
                r.skip("column")
                r.skip("if", "exists")
                self._drop_column(table, str(r.next()))
        elif r.skip("alter"):
            r.skip("column")
            column = str(r.next())
            if r.skip("drop", "identity"):
                table.sequences.pop(column, None)
            elif r.skip("add", "generated"):
                table.sequences[column] = self._free(object_name(table.name[1], column, "seq"), table)
        return key

    def _move(self, old, new):
        table = self.tables.pop(old)
        table.name = new
        self.tables[new] = table
        for t in self.tables.values():
            for c in t.constraints.values():
                if c["to"] and c["to"][0] == old:
                    c["to"] = (new, c["to"][1])
        return new

    def _rename_column(self, table, old, new):
        def moved(columns):
            return [new if c == old else c for c in columns]

        table.columns = moved(table.columns)
        for named in (table.constraints, table.indexes):
            for thing in named.values():
                thing["columns"] = moved(thing["columns"])
        if old in table.sequences:
            table.sequences[new] = table.sequences.pop(old)
        for t in self.tables.values():
            for c in t.constraints.values():
                if c["to"] == (table.name, old):
                    c["to"] = (table.name, new)

    def _drop_column(self, table, column):
        if column in table.columns:
            table.columns.remove(column)
        for named in (table.constraints, table.indexes):
            for name in [n for n, thing in named.items() if column in thing["columns"]]:
                del named[name]
        table.sequences.pop(column, None)
        self._drop_references(lambda to: to == (table.name, column))


def _rename(named, old, new):
    """Rename a key and keep the order."""
    if old in named:
        items = [(new if k == old else k, v) for k, v in named.items()]
        named.clear()
        named.update(items)
