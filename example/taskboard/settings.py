"""A project with what the board needs, and no more. For this machine only: see DEBUG."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "for the demo only"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "taskboard.urls"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_model_pusher",
    "drf_model_pusher.server",  # the development server; not needed with Pusher's hosted service
    "board",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
LOGIN_URL = "start"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "board.sqlite3",
        # A request reads a card, then writes it: no other writer may come in between.
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
# pusher-js from npm, where that was run; else the page takes it from Pusher's CDN.
PUSHER_JS = BASE_DIR / "node_modules" / "pusher-js" / "dist" / "web"
STATICFILES_DIRS = [("pusher-js", PUSHER_JS)] if PUSHER_JS.exists() else []

REST_FRAMEWORK = {
    # The session of the page, with its CSRF token: no other site can write through a browser.
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

# With an account at Pusher: its credentials and PUSHER_CLUSTER, and neither host, port nor SSL.
PUSHER_APP_ID = "1"
PUSHER_KEY = "task-board"
PUSHER_SECRET = "not-a-secret"
PUSHER_HOST = "127.0.0.1"
PUSHER_PORT = 8000  # `manage.py demo` puts its own port here
PUSHER_SSL = False

DRF_MODEL_PUSHER_DISABLED = bool(os.environ.get("DRF_MODEL_PUSHER_DISABLED"))
