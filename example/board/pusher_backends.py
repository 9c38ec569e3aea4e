"""How a change becomes an event, and who may listen. Found because of the file's name."""

from drf_model_pusher.backends import PresencePusherBackend, PrivatePusherBackend

from board.serializers import BoardSerializer, CardSerializer
from board.views import BoardViewSet


class CardPusherBackend(PrivatePusherBackend):
    """Cards, on private-boards.7: for whoever may GET board 7."""

    serializer_class = CardSerializer
    channels = ["boards.{list__board_id}"]
    view_class = BoardViewSet
    version_field = "version"


class BoardPusherBackend(PresencePusherBackend):
    """Who looks at the board, and who writes; by the same rule."""

    serializer_class = BoardSerializer
    channels = ["boards.{pk}"]
    view_class = BoardViewSet
