"""Django's own apps."""

from settings_of_many import *  # noqa: F403
from settings_of_many import CONTRIB, MIDDLEWARE

INSTALLED_APPS = [f"django.contrib.{a}" for a in CONTRIB]
MIDDLEWARE = MIDDLEWARE[:3]
