"""Settings of the demo site. ``demo.py`` says through the environment where data and cache are.

CITIES_DATABASE        the SQLite file
CITIES_CACHE           ``CACHES["default"]`` as JSON, as ``rooms.py`` made it
CITIES_CACHE_DATABASE  another SQLite file, for a cache that is a table
"""

import json
import os

from django.core.management.utils import get_random_secret_key

CACHES = {"default": json.loads(os.environ["CITIES_CACHE"])}

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"timeout": 20}}
DATABASES = {
    "default": {**SQLITE, "NAME": os.environ["CITIES_DATABASE"]},
    "cache": {**SQLITE, "NAME": os.environ["CITIES_CACHE_DATABASE"]},
}
DATABASE_ROUTERS = ["cities.routers.CacheRouter"]

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
SECRET_KEY = get_random_secret_key()

INSTALLED_APPS = ["django.contrib.humanize", "cities"]
MIDDLEWARE = [
    "cities.observation.ObservationMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "cities.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False},
    },
}
