import os

SECRET_KEY = "test"
USE_TZ = True
# Replank says which database; Django's own commands get it from the environment.
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
INSTALLED_APPS = ["django.contrib.contenttypes", "depot"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
