import os

import django

SECRET_KEY = "queued"
USE_TZ = True
INSTALLED_APPS = ["drf_model_pusher", "django_tasks_db"]
if django.VERSION < (6,):
    INSTALLED_APPS += ["django_tasks"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DATABASE"],
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
PUSHER_APP_ID = "3"
PUSHER_KEY = os.environ["PUSHER_KEY"]
PUSHER_SECRET = os.environ["PUSHER_SECRET"]
PUSHER_HOST = "127.0.0.1"
PUSHER_PORT = os.environ["PUSHER_PORT"]
PUSHER_SSL = False
PUSHER_TIMEOUT = 2
DRF_MODEL_PUSHER_DELIVERY = os.environ["DELIVERY"]

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

CELERY_BROKER_URL = os.environ.get("BROKER")
CELERY_TASK_DEFAULT_QUEUE = os.environ.get("QUEUE")
