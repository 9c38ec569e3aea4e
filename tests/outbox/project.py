"""A project of one view, which real servers and relays run; the environment says on what.

Each change of an object is one update, which the relay reads, and one event, whose data is the
object and a number that grows.
"""

import json
import os
import sys

import django
from django.conf import settings

if "PyMySQL" in os.environ:
    import pymysql

    pymysql.install_as_MySQLdb()

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="outbox",
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["drf_model_pusher", "drf_model_pusher.outbox", "tests.shop"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": json.loads(os.environ["OUTBOX_DATABASE"])},
    LOGGING={
        "version": 1,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "loggers": {"drf_model_pusher": {"handlers": ["console"], "level": "WARNING"}},
    },
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
    PUSHER_APP_ID="3",
    PUSHER_KEY=os.environ["PUSHER_KEY"],
    PUSHER_SECRET=os.environ["PUSHER_SECRET"],
    PUSHER_HOST="127.0.0.1",
    PUSHER_PORT=os.environ["PUSHER_PORT"],
    PUSHER_SSL=False,
    PUSHER_TIMEOUT=os.environ.get("PUSHER_TIMEOUT", "5"),
    DRF_MODEL_PUSHER_DELIVERY="drf_model_pusher.outbox.delivery.OutboxDelivery",
    DRF_MODEL_PUSHER_BACKENDS_FILE="no_backends.py",
    **json.loads(os.environ.get("OUTBOX_SETTINGS", "{}")),
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import transaction  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

from drf_model_pusher.changes.block import record  # noqa: E402
from drf_model_pusher.events import PusherEvent  # noqa: E402
from tests.outbox.project_backends import OrderBackend  # noqa: E402
from tests.shop.models import Order  # noqa: E402


def change(request, pk, outcome):
    """Count an order up and push it, in one transaction; or roll that back at its end."""
    committed = outcome == "commit"
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=pk)
        order.total += 1
        order.save(update_fields=["total"])
        event = PusherEvent(
            channels=("orders",),
            name="order.counted" if committed else "order.never",
            data=json.dumps({"order": order.pk, "number": int(order.total)}),
            subject=f"shop.order:{pk}",
        )
        record([event], "default")
        OrderBackend().push_change("update", order)
        transaction.set_rollback(not committed)
    return JsonResponse({"pid": os.getpid(), "number": int(order.total)})


urlpatterns = [path("<int:pk>/<outcome>", change)]
application = get_wsgi_application()

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    if sys.argv[1] == "prepare":
        execute_from_command_line([sys.argv[0], "migrate", "--run-syncdb", "--verbosity=0"])
        Order.objects.bulk_create(Order(customer="Ada") for _ in range(int(sys.argv[2])))
    else:
        execute_from_command_line()
