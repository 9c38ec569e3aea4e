"""The same viewset: plain, with calls or tasks by hand, over the floor, with the package."""

import json
from collections.abc import Callable
from typing import Any, ClassVar

from django.db import connection, transaction
from rest_framework.viewsets import ModelViewSet

from benchmarks.project.models import Order
from benchmarks.project.senders import Enqueuer, client, floor
from benchmarks.project.serializers import OrderSerializer
from drf_model_pusher.views import ModelPusherViewMixin

CHANNELS = ["orders"]


class PlainViewSet(ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


class HandWrittenViewSet(PlainViewSet):
    sender: ClassVar[Any] = client

    def perform_create(self, serializer):
        super().perform_create(serializer)
        self.sender.trigger(CHANNELS, "order.create", serializer.data)

    def perform_update(self, serializer):
        super().perform_update(serializer)
        self.sender.trigger(CHANNELS, "order.update", serializer.data)

    def perform_destroy(self, instance):
        data = self.get_serializer(instance).data
        super().perform_destroy(instance)
        self.sender.trigger(CHANNELS, "order.delete", data)


class FloorViewSet(HandWrittenViewSet):
    sender = floor


class CeleryViewSet(HandWrittenViewSet):
    sender = Enqueuer("celery")


class TasksViewSet(HandWrittenViewSet):
    sender = Enqueuer("tasks")


class ReadViewSet(PlainViewSet):
    """What nobody can do without who asks in the request who listens: one read of the cache."""

    read: ClassVar[Callable[[], object]]

    def perform_create(self, serializer):
        super().perform_create(serializer)
        self.read()


class InsertViewSet(PlainViewSet):
    """What an outbox cannot do without: one more INSERT in the transaction of the change."""

    def perform_create(self, serializer):
        with transaction.atomic():
            super().perform_create(serializer)
            data = json.dumps(serializer.data)
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO bare_outbox (data) VALUES (%s)", [data])


class PackageViewSet(ModelPusherViewMixin, PlainViewSet):
    channels: ClassVar[list[str]] = CHANNELS

    def get_pusher_channels(self):
        return self.channels
