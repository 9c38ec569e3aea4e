"""Lines of orders, which are pushed to any channels."""

from rest_framework import viewsets

from drf_model_pusher.views import ModelPusherViewMixin
from tests.shop.models import Line, Order
from tests.shop.serializers import LineSerializer
from tests.views import call


class LineViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Line.objects.all()
    serializer_class = LineSerializer
    pusher_channels = ("lines",)

    def get_pusher_channels(self):
        return list(self.pusher_channels)


def write(*channels):
    """Create a line through the API, which is pushed to the channels."""
    order = Order.objects.create(customer="Ada")
    view = type("View", (LineViewSet,), {"pusher_channels": channels or ("lines",)})
    assert call(view, "create", {"order": order.pk, "text": "tea"}).status_code == 201


def sent(api):
    """The channels of each event that was sent."""
    return [
        event["channels"] for call in api.calls if call.method == "POST" for event in call.events
    ]
