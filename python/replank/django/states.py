"""The project's models while the history is walked: one state that is changed in place.

Django copies all models before each operation and renders all of them as classes. Here an operation's models are
kept as they were only when it looks at them, and only what its SQL can depend on is rendered: the models it names,
their bases, and of the models these refer to the keys.
"""

import copy

from django.apps.registry import Apps
from django.db.migrations import state as django_state
from django.db.migrations.exceptions import InvalidBasesError
from django.db.migrations.state import AppConfigStub, ModelState, ProjectState, StateApps
from django.db.migrations.utils import resolve_relation
from django.db import models as django_models
from django.db.models import Field, ForeignKey, Model, OneToOneField
from django.utils.functional import cached_property

CompositePrimaryKey = getattr(django_models, "CompositePrimaryKey", ())  # since Django 5.2

# Only decides when classes are rendered again, by a look at every field of the project; ours never are.
django_state.field_is_referenced = lambda *args: False


def shallow(state):
    """ModelState.clone() without its checks."""
    new = copy.copy(state)
    new.fields, new.options = dict(state.fields), dict(state.options)
    new.managers = list(state.managers)
    return new


class Models(dict):
    """The models of the project, which keeps what an operation may change as it was before."""

    def __init__(self, *args):
        super().__init__(*args)
        self.before = {}
        self._referrers, self._targets = None, {}

    @property
    def referrers(self):
        """model → the models that refer to it."""
        if self._referrers is None:
            self._referrers = {}
            self.index(list(self))
        return self._referrers

    def begin(self):
        self.before = {}

    def peek(self, key):
        return dict.get(self, key)

    def past(self, key):
        return self.before[key] if key in self.before else dict.get(self, key)

    def _keep(self, key):
        if key not in self.before:
            old = dict.get(self, key)
            self.before[key] = None if old is None else shallow(old)

    def _keep_all(self):
        for key in self:
            self._keep(key)

    def __getitem__(self, key):
        self._keep(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self._keep(key)
        return super().get(key, default)

    def __setitem__(self, key, value):
        self._keep(key)
        super().__setitem__(key, value)

    def __delitem__(self, key):
        self._keep(key)
        super().__delitem__(key)

    def pop(self, key, *default):
        self._keep(key)
        return super().pop(key, *default)

    def items(self):
        self._keep_all()
        return super().items()

    def values(self):
        self._keep_all()
        return super().values()

    def changed(self):
        """The models that differ from what they were at begin()."""
        keys = []
        for key, old in self.before.items():
            new = dict.get(self, key)
            if old is None or new is None:
                if old is not new:
                    keys.append(key)
            elif old.name != new.name or old.fields != new.fields or old.options != new.options or (
                list(old.fields) != list(new.fields)
            ) or old.bases != new.bases or any(a is not new.fields[n] for n, a in old.fields.items()):  # fmt: skip
                keys.append(key)
        return keys

    def index(self, keys):
        """Follow who refers to whom, once that was asked."""
        if self._referrers is None:
            return
        for key in keys:
            for target in self._targets.pop(key, ()):
                self._referrers.get(target, set()).discard(key)
            state = dict.get(self, key)
            if state is not None:
                self._targets[key] = found = {t for t, _ in targets(state)}
                for target in found:
                    self._referrers.setdefault(target, set()).add(key)


def targets(state):
    """What a model refers to: ((app, model), field)."""
    here = (state.app_label, state.name_lower)
    for field in state.fields.values():
        remote = field.remote_field
        if remote is None:
            continue
        if remote.model:
            yield resolve_relation(remote.model, *here), field
        if through := getattr(remote, "through", None):
            yield resolve_relation(through, *here), None
    for base in state.bases:
        if isinstance(base, str):
            yield tuple(base.lower().split(".", 1)), None
        elif isinstance(base, type) and issubclass(base, Model) and base is not Model and not base._meta.abstract:
            yield (base._meta.app_label, base._meta.model_name), None


class _Quick(ModelState):
    """A model whose fields are copied as attributes, not taken apart and made anew, where they are Django's own."""

    def __init__(self, state):
        self.__dict__.update(state.__dict__)
        self.fields = {n: _Copied(f) for n, f in state.fields.items()}


# What a field finds out of its model, once.
BOUND = {n for t in (ForeignKey, OneToOneField) for c in t.__mro__ for n, v in vars(c).items() if isinstance(v, cached_property)}


class _Copied:
    def __init__(self, field):
        self.field = field

    def clone(self):
        field = self.field
        if type(field) in (ForeignKey, OneToOneField):
            new = copy.copy(field)
            new.remote_field = copy.copy(field.remote_field)
            new.remote_field.field = new
            for bound in BOUND & new.__dict__.keys():
                del new.__dict__[bound]
        elif field.remote_field is not None or not type(field).__module__.startswith("django.db.models.fields"):
            return field.clone()
        else:
            new = copy.copy(field)
        new._replank_source = field
        # The order of the columns.
        new.creation_counter = Field.creation_counter
        Field.creation_counter += 1
        return new


class Cuts:
    """Classes of models that are only referred to, kept while the model stays as it is."""

    def __init__(self):
        self._classes = {}  # model → (fields asked for by name, class)

    def get(self, key, names):
        found = self._classes.get(key)
        return found[1] if found and names <= found[0] else None

    def put(self, key, names, made):
        self._classes[key] = (frozenset(names), made)

    def forget(self, keys):
        for key in keys:
            self._classes.pop(key, None)


class Kept:
    """Classes of the state behind an operation, which are those before the next one that looks at the same models."""

    SIZE = 32  # a history goes through its apps one by one

    def __init__(self):
        self._versions, self._by_model = {}, {}

    def change(self, keys):
        for key in keys:
            self._versions[key] = self._versions.get(key, 0) + 1

    def put(self, rendered):
        rendered.versions = {k: self._versions.get(k, 0) for k in rendered.full}
        rendered.cut_from = {k: rendered.cut(k, names) for k, names in rendered._thin.items()}
        for key in rendered.full:
            self._by_model.pop(key, None)
            self._by_model[key] = rendered
        while len(self._by_model) > self.SIZE:
            del self._by_model[next(iter(self._by_model))]

    def get(self, keys, lookup):
        """Classes with all of these models, as lookup has them; None where there are none."""
        found = self._by_model.get(keys[0]) if keys else None
        if (
            found is None
            or not found.full.issuperset(keys)
            or any(self._versions.get(k, 0) != v for k, v in found.versions.items())
        ):
            return None
        found.reuse(lookup)
        if any(found.state(k) is not None for k in found.missing) or not all(map(found.fits, found.cut_from)):
            return None
        return found

    def forget(self):
        self._by_model.clear()


class Rendered(StateApps):
    """Models as classes, rendered when they are asked for."""

    def __init__(self, lookup, real, cuts=None, fresh=()):
        Apps.__init__(self, ())
        self._lock, self.ready_event = None, None
        self.real_models = list(real.values())
        self._lookup, self._real = lookup, real
        self._cuts, self._fresh = cuts, fresh  # kept classes, and the models for which they are out of date
        self.full, self._thin, self._wanted = set(), {}, []
        self.missing = set()  # targets that do not exist
        self.versions, self.cut_from = {}, {}  # what it is made of, once it is kept

    def want(self, keys):
        """Render these when the first of them is asked for."""
        self._wanted = list(keys)

    def reuse(self, lookup):
        """Go on from the same models of another state."""
        self._lookup, self._fresh = lookup, ()

    def fits(self, key):
        """Is the part of a model that others refer to as it was?"""
        old = self.cut_from[key]
        if self.state(key) is None:
            return False
        new = self.cut(key, self._thin[key])
        return (
            old.name == new.name
            and old.bases == new.bases
            and old.options == new.options
            and list(old.fields) == list(new.fields)
            and all(f is new.fields[n] for n, f in old.fields.items())
        )

    def state(self, key):
        found = self._lookup(key)
        return found if found is not None else self._real.get(key)

    def seed(self, keys):
        """Render these, with what they need."""
        new = [k for k in keys if k not in self.full and self.state(k) is not None]
        if not new:
            return
        if any(k in self._thin for k in new):
            # What was rendered in part is referred to already: all again.
            new, self._thin = [*self.full, *new], {}
            self.full = set()
            self.all_models.clear()
            self.app_configs.clear()
            self._pending_operations.clear()
        order = []
        for key in new:
            self._need(key, order)
        thin = {}
        for key in order:
            self._refer(self.state(key), thin)
        states, made = [self.state(k) for k in order], []
        for key, names in thin.items():
            kept = self._cuts.get(key, names) if self._cuts and key not in self._fresh else None
            if kept is None:
                made.append((key, names))
                states.insert(0, self._cut(key, names))
            else:
                self._thin[key] = names
                self.all_models[key[0]][key[1]] = kept
                self.get_app_config(key[0]).models[key[1]] = kept
        self.render_multiple(states)
        for key, names in made:
            # One that refers to others is not kept: theirs are of this registry.
            refers = any(True for _ in targets(self._cut(key, names)))
            if self._cuts is not None and not refers and key not in self._fresh:
                self._cuts.put(key, names, self.all_models[key[0]][key[1]])

    def render_multiple(self, model_states):
        """As StateApps does, with cheaper copies of the fields."""
        with self.bulk_update():
            while model_states:
                again = []
                for state in model_states:
                    try:
                        _Quick(state).render(self)
                    except InvalidBasesError:
                        again.append(state)
                if len(again) == len(model_states):
                    raise InvalidBasesError(f"Cannot resolve the bases of {again!r}")
                model_states = again

    def _need(self, key, order):
        state = self.state(key)
        if state is None or key in self.full:
            return
        self.full.add(key)
        for target, field in targets(state):
            if field is None and target in self._bases(state):
                self._need(target, order)
        order.append(key)

    @staticmethod
    def _bases(state):
        return {
            tuple(b.lower().split(".", 1)) if isinstance(b, str) else (b._meta.app_label, b._meta.model_name)
            for b in state.bases
            if isinstance(b, str) or (hasattr(b, "_meta") and not b._meta.abstract)
        }

    def _refer(self, state, thin):
        """Note what of its targets a model needs."""
        for target, field in targets(state):
            if target in self.full or target in self._thin:
                continue
            if self.state(target) is None:
                self.missing.add(target)
                continue
            first = target not in thin
            names = thin.setdefault(target, set())
            names.update(n for n in (*(getattr(field, "to_fields", None) or ()),) if n)
            if first:
                there = self.state(target)
                for _, f in _keys(there, ()):
                    if f.remote_field is not None:
                        self._refer(_only(there, f.name), thin)
                for base in self._bases(there):
                    if base not in self.full:
                        thin.setdefault(base, set())

    def _cut(self, key, names):
        self._thin[key] = names
        return self.cut(key, names)

    def cut(self, key, names):
        """What others refer to of a model."""
        state = self.state(key)
        cut = copy.copy(state)
        cut.fields = {n: f for n, f in _keys(state, names)}
        keep = ("db_table", "managed", "proxy", "swappable", "abstract", "db_tablespace")
        cut.options = {k: v for k, v in state.options.items() if k in keep}
        cut.managers = []
        return cut

    def clear_cache(self):
        if self.ready:
            for models in self.all_models.values():
                for model in models.values():
                    model._meta._expire_cache()

    def get_model(self, app_label, model_name=None, require_ready=True):
        if model_name is None:
            app_label, model_name = app_label.split(".")
        key = (app_label, model_name.lower())
        if self._wanted:
            wanted, self._wanted = self._wanted, []
            self.seed(wanted)
        if key not in self.full and key[1] not in self.all_models[app_label]:
            self.seed([key])
        try:
            return self.all_models[app_label][key[1]]
        except KeyError:
            raise LookupError(f"There is no model {app_label}.{model_name} at this point of the history.") from None

    def get_app_config(self, app_label):
        if app_label not in self.app_configs:
            self.app_configs[app_label] = stub = AppConfigStub(app_label)
            stub.apps = self
        return self.app_configs[app_label]


def _keys(state, names):
    """The fields of a model that others can refer to."""
    if any(isinstance(f, CompositePrimaryKey) for f in state.fields.values()):
        return [(n, f) for n, f in state.fields.items() if isinstance(f, Field)]
    return [
        (n, f)
        for n, f in state.fields.items()
        if f.primary_key or n in names or (f.unique and f.remote_field is None) or (
            f.remote_field is not None and getattr(f.remote_field, "parent_link", False))
    ]  # fmt: skip


def _only(state, *names):
    part = copy.copy(state)
    part.fields = {n: f for n, f in state.fields.items() if f.name in names or n in names}
    part.bases = (Model,)
    return part


class Present(ProjectState):
    """The state that operations change. Its classes live for one operation."""

    def __init__(self, real_apps):
        super().__init__(None, set(real_apps))
        self.models = Models()
        self.real = {}
        from django.apps import apps

        for label in real_apps:
            for model in apps.get_app_config(label).get_models():
                found = ModelState.from_model(model, exclude_rels=True)
                self.real[found.app_label, found.name_lower] = found
        self._rendered, self.cuts = None, Cuts()
        self.kept = Kept()

    @property
    def apps(self):
        if self._rendered is None:
            self._rendered = Rendered(self.models.peek, self.real, self.cuts, self.models.before)
        return self._rendered

    def want(self, keys):
        """Render these when the first of them is asked for."""
        self.apps.want(keys)

    @apps.setter
    def apps(self, value):
        self._rendered = value

    def begin(self):
        if isinstance(self._rendered, Rendered):
            self.kept.put(self._rendered)
        self.models.begin()
        self._rendered = None

    def distrust(self):
        """Something may have changed the classes."""
        self.kept.forget()
        if self._rendered is not None:
            self._rendered = None

    def end(self):
        """After an operation: the models it changed."""
        changed = self.models.changed()
        self.models.index(changed)
        self.cuts.forget(changed)
        self.kept.change(changed)
        return changed

    def everything(self):
        """Render as Django does, for an operation that looks further than ours."""
        return StateApps(self.real_apps, dict(self.models))

    def clone(self):
        new = Present.__new__(Present)
        ProjectState.__init__(new, None, self.real_apps)
        new.models = Models({k: shallow(v) for k, v in dict.items(self.models)})
        new.real, new._rendered, new.cuts, new.kept = self.real, None, Cuts(), Kept()
        return new


class _PastModels(dict):
    """The models before an operation."""

    def __init__(self, present):
        self.present = present

    def __getitem__(self, key):
        found = self.present.past(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key):
        return self.present.past(key) is not None

    def get(self, key, default=None):
        found = self.present.past(key)
        return default if found is None else found

    def __iter__(self):
        return (k for k in {**self.present, **self.present.before} if self.present.past(k) is not None)

    def __len__(self):
        return sum(1 for _ in self)

    def keys(self):
        return list(self)

    def items(self):
        return [(k, self[k]) for k in self]

    def values(self):
        return [self[k] for k in self]


class Past(Present):
    """The state before the operation that is being carried out."""

    def __init__(self, present):
        ProjectState.__init__(self, None, present.real_apps)
        self.models = _PastModels(present.models)
        self.real, self._rendered, self.cuts = present.real, None, present.cuts
        self.kept, self._lookup = present.kept, present.models.past

    @property
    def apps(self):
        if self._rendered is None:
            self._rendered = Rendered(self._lookup, self.real, self.cuts)
        return self._rendered

    def want(self, keys):
        if self._rendered is None:
            self._rendered = self.kept.get([k for k in keys if self._lookup(k) is not None], self._lookup)
        super().want(keys)

    @apps.setter
    def apps(self, value):
        self._rendered = value

    def everything(self):
        return StateApps(self.real_apps, dict(self.models.items()))

    def clone(self):
        new = Present.__new__(Present)
        ProjectState.__init__(new, None, self.real_apps)
        new.models = Models({k: shallow(v) for k, v in self.models.items()})
        new.real, new._rendered, new.cuts, new.kept = self.real, None, Cuts(), Kept()
        return new
