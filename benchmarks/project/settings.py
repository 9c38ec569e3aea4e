"""What ``startproject`` writes, with Django REST framework; the rest is in the environment."""

import os
from importlib.util import find_spec

import django

SECRET_KEY = "for benchmarks only"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "benchmarks.project.urls"
WSGI_APPLICATION = "benchmarks.project.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "drf_model_pusher",
    "benchmarks.project",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["BENCHMARK_DATABASE"],
        # Connections live on and commits wait for no disk, as with a database server: what we add
        # to a request shows more clearly.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
            "transaction_mode": "IMMEDIATE",
        },
    }
}
if "BENCHMARK_POSTGRESQL" in os.environ:
    INSTALLED_APPS.append("drf_model_pusher.outbox")
    if find_spec("django_tasks_db"):
        INSTALLED_APPS += ["django_tasks_db", *(["django_tasks"] if django.VERSION < (6,) else [])]
        TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ.get("TEST_POSTGRESQL_HOST", "127.0.0.1"),
            "PORT": os.environ.get("TEST_POSTGRESQL_PORT", "5432"),
            "USER": os.environ.get("TEST_POSTGRESQL_USER", "postgres"),
            "PASSWORD": os.environ.get("TEST_POSTGRESQL_PASSWORD", ""),
            "NAME": os.environ["BENCHMARK_POSTGRESQL"],
            "CONN_MAX_AGE": None,
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PUSHER_APP_ID = "3"
PUSHER_KEY = "278d425bdf160c739803"
PUSHER_SECRET = "7ad3773142a6692b25b8"
PUSHER_HOST = "127.0.0.1"
PUSHER_PORT = os.environ["BENCHMARK_PUSHER_PORT"]
PUSHER_SSL = False

# The default delivery is what is measured; another can be looked at.
if "BENCHMARK_DELIVERY" in os.environ:
    DRF_MODEL_PUSHER_DELIVERY = os.environ["BENCHMARK_DELIVERY"]
