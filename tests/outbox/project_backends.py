"""The backend of the project that real servers and relays run, where both find it."""

from rest_framework import serializers

from drf_model_pusher.backends import PusherBackend
from tests.shop.models import Order


class OrderSerializer(serializers.ModelSerializer):
    order = serializers.IntegerField(source="pk")
    number = serializers.IntegerField(source="total")

    class Meta:
        model = Order
        fields = ("order", "number")


class OrderBackend(PusherBackend):
    serializer_class = OrderSerializer
    channels = ["orders"]
