import os

SECRET_KEY = "modern"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
MIDDLEWARE = ["replank.django.middleware.Gateway", *os.environ.get("MORE", "").split()]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 60,
        "NAME": os.environ["PGDATABASE"],  # libpq reads the rest
    }
}
with open(os.environ["PORTED"]) as file:
    PORTED = file.read().split()
REPLANK_BUILD = "-".join(PORTED) or "none"
REPLANK_ROUTES_SECRET = os.environ.get("ROUTES_SECRET")
