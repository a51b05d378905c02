"""django-oauth-toolkit."""

from settings_of_contrib import *  # noqa: F403
from settings_of_contrib import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "oauth2_provider"]
