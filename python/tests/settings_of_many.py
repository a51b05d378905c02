"""Django's own apps and those of published packages that are installed."""

import importlib.util
import os

SECRET_KEY = "test"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("REPLANK_TEST_HOST", "192.0.2.1"),
        "PORT": os.environ.get("REPLANK_TEST_PORT", ""),
        "USER": os.environ.get("REPLANK_TEST_USER", ""),
        "PASSWORD": os.environ.get("REPLANK_TEST_PASSWORD", ""),
        "NAME": os.environ.get("REPLANK_TEST_DATABASE", "nowhere"),
    }
}
CONTRIB = ["admin", "auth", "contenttypes", "sessions", "sites", "flatpages", "redirects", "messages", "postgres"]
PACKAGES = [
    "oauth2_provider", "allauth", "allauth.account", "allauth.socialaccount", "allauth.mfa", "allauth.usersessions",
    "django_celery_beat", "django_celery_results", "taggit", "reversion", "waffle", "guardian", "easy_thumbnails",
    "filer", "menus", "treebeard", "sekizai", "cms", "wagtail.contrib.forms", "wagtail.contrib.redirects",
    "wagtail.contrib.search_promotions", "wagtail.embeds", "wagtail.sites", "wagtail.users", "wagtail.snippets",
    "wagtail.documents", "wagtail.images", "wagtail.search", "wagtail.admin", "wagtail", "modelcluster",
]  # fmt: skip
INSTALLED_APPS = [f"django.contrib.{a}" for a in CONTRIB]
INSTALLED_APPS += [a for a in PACKAGES if importlib.util.find_spec(a.split(".")[0])]
INSTALLED_APPS += ["replank.django"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
    "context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                           "django.contrib.messages.context_processors.messages"]}}]  # fmt: skip
SITE_ID = 1
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "en")]
CMS_CONFIRM_VERSION4 = True
WAGTAIL_SITE_NAME = "test"
WAGTAILADMIN_BASE_URL = "http://localhost"
ROOT_URLCONF = "settings_of_many"
urlpatterns = []
SILENCED_SYSTEM_CHECKS = ["cms.E001", "templates.E001"]
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
