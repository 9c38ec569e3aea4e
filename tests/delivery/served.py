"""A project that real servers run: each POST pushes the event that it names."""

import os

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="served",
    DEBUG=True,
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.staticfiles", "drf_model_pusher"],
    STATIC_URL="/static/",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
    PUSHER_APP_ID="3",
    PUSHER_KEY=os.environ["PUSHER_KEY"],
    PUSHER_SECRET=os.environ["PUSHER_SECRET"],
    PUSHER_HOST="127.0.0.1",
    PUSHER_PORT=os.environ["PUSHER_PORT"],
    PUSHER_SSL=False,
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.generics import GenericAPIView  # noqa: E402
from rest_framework.response import Response  # noqa: E402

from drf_model_pusher.asgi import flush_at_shutdown  # noqa: E402
from drf_model_pusher.delivery import get_delivery  # noqa: E402
from drf_model_pusher.events import PusherEvent  # noqa: E402
from drf_model_pusher.views import ModelPusherViewMixin  # noqa: E402


def push(name):
    get_delivery().send([PusherEvent(channels=("orders",), name=name, data="{}")])


class PushView(ModelPusherViewMixin, GenericAPIView):
    def post(self, request, name):
        self.push("orders", name, {})
        return Response(os.getpid(), status=202)


urlpatterns = [path("<name>", PushView.as_view())]
application = get_wsgi_application()
asgi = flush_at_shutdown(get_asgi_application())

if "PUSH_WHILE_LOADING" in os.environ:
    # The parent of workers that are forked later has a connection, a thread, and work of its own.
    push("loaded")
    get_delivery().flush()

if "CELERY_BROKER" in os.environ:
    from celery import Celery

    app = Celery("served", broker=os.environ["CELERY_BROKER"], set_as_current=True)
    app.conf.task_default_queue = os.environ["CELERY_QUEUE"]
    app.conf.worker_max_tasks_per_child = 3
    push_later = app.task(push, name="push")

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line()
