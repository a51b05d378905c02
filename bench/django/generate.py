"""Makes a Django project as big ones are: python generate.py FOLDER [--apps 350] [--migrations 9000].

Every app has models with foreign keys into the app before it and to the user, and a history of added, altered,
renamed and removed fields, indexes, constraints, Python code and SQL. Every tenth app has a squash whose members are
still there. The same arguments give the same project.
"""

import argparse
import os
import random

MIGRATION = """from django.conf import settings
from django.db import migrations, models
import django.db.models.deletion


{functions}class Migration(migrations.Migration):

{attributes}    dependencies = [
{dependencies}    ]

    operations = [
{operations}    ]
"""

KINDS = [
    ("models.CharField(max_length=100, default='')", "models.CharField(max_length=200, default='')"),
    ("models.IntegerField(default=0)", "models.BigIntegerField(default=0)"),
    ("models.BooleanField(default=False)", "models.BooleanField(default=True)"),
    ("models.DateTimeField(null=True)", "models.DateTimeField(null=True, db_index=True)"),
    ("models.DecimalField(max_digits=10, decimal_places=2, null=True)",
     "models.DecimalField(max_digits=14, decimal_places=2, null=True)"),
    ("models.TextField(blank=True, default='')", "models.TextField(blank=True, default='', db_index=True)"),
    ("models.PositiveIntegerField(null=True)", "models.PositiveIntegerField(default=1)"),
    ("models.SlugField(null=True)", "models.SlugField(null=True, unique=True)"),
]  # fmt: skip


class App:
    def __init__(self, number, total, rng, root):
        self.name, self.rng = f"app{number:03d}", rng
        self.before = [f"app{n:03d}" for n in rng.sample(range(number), min(number, 2))]
        self.folder = os.path.join(root, self.name, "migrations")
        os.makedirs(self.folder)
        open(os.path.join(root, self.name, "__init__.py"), "w").close()
        open(os.path.join(self.folder, "__init__.py"), "w").close()
        self.models = {}  # model → {field: (kind, step)}
        self.names, self.count, self.total = [], 0, total

    def write(self, operations, dependencies=(), functions="", attributes=""):
        self.count += 1
        name = f"{self.count:04d}_{'initial' if self.count == 1 else 'change'}"
        own = [(self.name, self.names[-1])] if self.names else []
        lines = "".join(f"        ({a!r}, {n!r}),\n" for a, n in own)
        lines += "".join(f"        {d},\n" for d in dependencies)
        self.names.append(name)
        self.file(name, operations, lines, functions, attributes)

    def file(self, name, operations, lines, functions="", attributes=""):
        with open(os.path.join(self.folder, name + ".py"), "w") as f:
            f.write(
                MIGRATION.format(
                    functions=functions, attributes=attributes, dependencies=lines,
                    operations="".join(f"        {o},\n" for o in operations),
                )  # fmt: skip
            )

    def create(self, model, keys=()):
        fields = ["('id', models.BigAutoField(primary_key=True, serialize=False))"]
        self.models[model] = {}
        for i in range(self.rng.randint(4, 9)):
            kind = self.rng.randrange(len(KINDS))
            self.models[model][f"f{i}"] = [kind, 0]
            fields.append(f"('f{i}', {KINDS[kind][0]})")
        for i, target in enumerate(keys):
            fields.append(
                f"('to{i}', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, "
                f"related_name='+', to={target}))"
            )
        return f"migrations.CreateModel(name={model!r}, fields=[{', '.join(fields)}])"

    def initial(self):
        dependencies = ["migrations.swappable_dependency(settings.AUTH_USER_MODEL)"]
        dependencies += [f"({a!r}, '0001_initial')" for a in self.before]
        targets = ["settings.AUTH_USER_MODEL"] + [f"'{a}.model0'" for a in self.before]
        operations = [self.create("Model0", targets)]
        for i in range(1, 3):
            operations.append(self.create(f"Model{i}", [f"'{self.name}.model0'"]))
        self.write(operations, dependencies, attributes="    initial = True\n\n")

    def change(self):
        rng, model = self.rng, self.rng.choice(list(self.models))
        fields = self.models[model]
        what = rng.random()
        low = model.lower()
        if what < 0.40 or not fields:
            name, kind = f"g{self.count}", rng.randrange(len(KINDS))
            fields[name] = [kind, 0]
            return self.write([f"migrations.AddField(model_name={low!r}, name={name!r}, field={KINDS[kind][0]})"])
        name = rng.choice(list(fields))
        if what < 0.62:
            fields[name][1] ^= 1
            kind, step = fields[name]
            return self.write([f"migrations.AlterField(model_name={low!r}, name={name!r}, field={KINDS[kind][step]})"])
        if what < 0.77:
            index = f"{self.name}_{self.count}_idx"
            return self.write(
                [f"migrations.AddIndex(model_name={low!r}, index=models.Index(fields=['id', 'f0'], name={index!r}))"]
                if "f0" in fields
                else [f"migrations.AddIndex(model_name={low!r}, index=models.Index(fields=['-id'], name={index!r}))"]
            )
        if what < 0.85:
            return self.write(
                ["migrations.RunPython(forwards, migrations.RunPython.noop)"],
                functions=f"def forwards(apps, schema_editor):\n    apps.get_model({self.name!r}, {model!r})\n\n\n",
            )
        if what < 0.89:
            new = f"Model{len(self.models)}x{self.count}"
            return self.write([self.create(new, [f"'{self.name}.model0'"])])
        if what < 0.93 and name not in ("f0",):
            new = f"r{self.count}"
            fields[new] = fields.pop(name)
            return self.write([f"migrations.RenameField(model_name={low!r}, old_name={name!r}, new_name={new!r})"])
        if what < 0.96 and name not in ("f0",):
            del fields[name]
            return self.write([f"migrations.RemoveField(model_name={low!r}, name={name!r})"])
        if what < 0.98:
            return self.write(
                [f"migrations.AddConstraint(model_name={low!r}, constraint=models.CheckConstraint("
                 f"condition=models.Q(('id__gt', 0)), name='{self.name}_{self.count}_ck'))"]
            )  # fmt: skip
        table = f"{self.name}_{low}"
        self.write([f"migrations.RunSQL('UPDATE {table} SET id = id WHERE false', migrations.RunSQL.noop)"])

    def squash(self):
        """The last two migrations as one that replaces them; they change nothing but data."""
        for _ in range(2):
            self.write([f"migrations.RunSQL('ANALYZE {self.name}_model0', migrations.RunSQL.noop)"])
        last = self.names[-2:]
        replaces = ", ".join(repr((self.name, n)) for n in last)
        self.file(
            f"{last[0]}_squashed_{last[1]}",
            [f"migrations.RunSQL('ANALYZE {self.name}_model0', migrations.RunSQL.noop)"],
            f"        ({self.name!r}, {self.names[-3]!r}),\n",
            attributes=f"    replaces = [{replaces}]\n\n",
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--apps", type=int, default=350)
    parser.add_argument("--migrations", type=int, default=9000)
    args = parser.parse_args()
    rng = random.Random(7)
    os.makedirs(args.folder)
    apps = []
    for number in range(args.apps):
        size = args.migrations // args.apps + (number < args.migrations % args.apps)
        app = App(number, size, rng, args.folder)
        squashed = number % 10 == 0 and size > 5
        app.initial()
        while app.count < size - (3 if squashed else 0):
            app.change()
        if squashed:
            app.squash()
        apps.append(app.name)
    with open(os.path.join(args.folder, "settings.py"), "w") as f:
        f.write(
            "import os\n\nSECRET_KEY = 'generated'\nUSE_TZ = True\n"
            "DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n"
            "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ.get('PGDATABASE', '')}}\n"
            "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', *(\n"
            f"    f'app{{n:03d}}' for n in range({len(apps)}))]\n"
        )
    with open(os.path.join(args.folder, "manage.py"), "w") as f:
        f.write(
            "import os\nimport sys\n\nif __name__ == '__main__':\n"
            "    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')\n"
            "    from django.core.management import execute_from_command_line\n\n"
            "    execute_from_command_line(sys.argv)\n"
        )


if __name__ == "__main__":
    main()
