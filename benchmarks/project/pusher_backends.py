from benchmarks.project.serializers import OrderSerializer
from drf_model_pusher.backends import PusherBackend


class OrderPusherBackend(PusherBackend):
    serializer_class = OrderSerializer
