import os

SECRET_KEY = "test"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
MIDDLEWARE = [
    "replank.django.middleware.Gateway",
    "django.middleware.common.CommonMiddleware",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000_000
REPLANK_GATEWAY = os.environ.get("TEST_GATEWAY", "")
REPLANK_ROUTES_SECRET = os.environ.get("ROUTES_SECRET")
