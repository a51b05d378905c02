"""Those of the published packages of which replank knows all."""

from settings_of_many import *  # noqa: F403
from settings_of_many import INSTALLED_APPS

INSTALLED_APPS = [a for a in INSTALLED_APPS if not a.startswith(("wagtail", "replank"))]
