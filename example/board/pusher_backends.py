"""How a change of a card becomes an event. Found because of the file's name."""

from drf_model_pusher.backends import PusherBackend

from board.serializers import CardSerializer


class CardPusherBackend(PusherBackend):
    serializer_class = CardSerializer
