import os

SECRET_KEY = "development"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
USE_TZ = True
MIDDLEWARE = ["replank.django.middleware.Gateway"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DB_HOST", "192.0.2.1"),
        "PORT": os.environ.get("DB_PORT", ""),
        "USER": os.environ.get("DB_USER", ""),
        "PASSWORD": os.environ.get("DB_PASSWORD", ""),
        "NAME": os.environ.get("DB_NAME", "nowhere"),
    }
}
INSTALLED_APPS = ["billing"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
