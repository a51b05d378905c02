"""wagtail: some of its migrations ask the database which SQL to write."""

from settings_of_contrib import *  # noqa: F403
from settings_of_many import INSTALLED_APPS as MANY

INSTALLED_APPS = [a for a in MANY if a.startswith(("django.", "wagtail", "taggit", "treebeard", "modelcluster"))]
