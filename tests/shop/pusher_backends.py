from drf_model_pusher.backends import PusherBackend
from tests.shop.serializers import OrderSerializer


class OrderPusherBackend(PusherBackend):
    serializer_class = OrderSerializer
