import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.delivery.queued.settings")
app = Celery("queued")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
