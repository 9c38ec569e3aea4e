import io
import json

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.urls import path
from rest_framework.permissions import IsAdminUser
from rest_framework.viewsets import ModelViewSet

from drf_model_pusher.backends import PresencePusherBackend, PrivatePusherBackend, PusherBackend
from drf_model_pusher.views import ModelPusherViewMixin
from tests.boards.models import Board
from tests.boards.serializers import BoardSerializer
from tests.boards.views import BoardViewSet
from tests.shop.models import Line, Order
from tests.shop.serializers import LineSerializer, OrderSerializer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_registry")]

BOARDS = "tests.urls_of_boards"


class OrderViewSet(ModelPusherViewMixin, ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer
    push_deletions = False

    def get_pusher_channels(self):
        return ["orders", "all-orders"]


class OrdersOfUserViewSet(OrderViewSet):
    def get_pusher_channels(self):
        return [f"user-{self.request.user.pk}"]


urlpatterns = [
    path("orders/", OrderViewSet.as_view({"post": "create"})),
    path("orders/<int:pk>/", OrderViewSet.as_view({"put": "update"})),
    path("mine/", OrdersOfUserViewSet.as_view({"post": "create"})),
]


@pytest.fixture
def order(settings):
    settings.ROOT_URLCONF = __name__
    return Order.objects.create(customer="ada")


@pytest.fixture
def board(settings, django_user_model):
    settings.ROOT_URLCONF = BOARDS
    owner = django_user_model.objects.create_user("owner")
    django_user_model.objects.create_user("stranger")
    return Board.objects.create(owner=owner, slug="plans")


def text(*args):
    output = io.StringIO()
    call_command("pusher_explain", *map(str, args), stdout=output)
    return output.getvalue()


def explained(*args):
    return json.loads(text(*args, "--json"))


def test_channels_of_a_view_are_asked_of_it_without_a_request(order):
    first, second = explained("shop.Order", order.pk)["pushes"]
    assert first["view"] == f"{__name__}.OrderViewSet at /orders/"
    assert (first["event"], first["channels"]) == ("order.update", ["orders", "all-orders"])
    assert first["bytes"] == len(f'{{"id":{order.pk},"customer":"ada","total":"0.00"}}')
    assert second["view"] == f"{__name__}.OrdersOfUserViewSet at /mine/"
    assert "asks for the request" in second["problem"]
    assert second["channels"] == []


def test_calls_and_messages_are_counted_as_the_provider_packs_them(order):
    push = explained("shop.Order", order.pk)["pushes"][0]
    assert push["calls"] == ["POST events to 2 channels"]
    assert push["published"] == 2
    assert (push["provider"], push["delivery"]) == ("PusherProvider", "InlineDelivery")


def test_a_view_that_pushes_no_such_change_says_so(order):
    push = explained("shop.Order", order.pk, "--event", "delete")["pushes"][0]
    assert push["problem"] == "the view says push_deletions = False"


def test_without_a_view_there_are_no_channels(order, settings):
    settings.ROOT_URLCONF = "tests.urls"
    assert "no route leads to a view" in text("shop.Order", order.pk)


@pytest.mark.parametrize(
    ("oversize", "words"), [("refer", "a reference of"), ("drop", "it is dropped")]
)
def test_what_the_limit_does_is_told(order, settings, oversize, words):
    class LineBackend(PusherBackend):
        serializer_class = LineSerializer
        channels = ["lines"]

    LineBackend.oversize = oversize
    line = Line.objects.create(order=order, text="x" * 90)
    settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES = 256
    assert "are too many" not in text("shop.Line", line.pk)
    Line.objects.update(text="é" * 130)
    printed = text("shop.Line", line.pk)
    assert words in printed
    assert ("calls" in printed) is (oversize == "refer")


def test_an_encrypted_channel_is_counted_as_it_goes_over_the_wire(order):
    class LineBackend(PusherBackend):
        serializer_class = LineSerializer
        channels = ["lines"]
        channel_prefix = "private-encrypted-"

    line = Line.objects.create(order=order, text="x")
    plain = len(json.dumps({"id": line.pk, "order": order.pk, "text": "x"}, separators=(",", ":")))
    push = explained("shop.Line", line.pk)["pushes"][0]
    assert push["bytes"] > 4 / 3 * plain
    assert push["channels"] == ["private-encrypted-lines"]


def test_who_decides_and_whether_a_user_may_is_the_authorization_s_own_answer(board):
    class BoardBackend(PrivatePusherBackend):
        serializer_class = BoardSerializer
        channels = ["boards.{pk}"]
        view_class = BoardViewSet

    name = f"private-boards.{board.pk}"
    (mine,) = explained("boards.Board", board.pk, "--as", "owner")["subscriptions"]
    assert mine["channel"] == name
    assert mine["deciders"] == [f"{BoardBackend.__qualname__}.view_class (BoardViewSet)"]
    assert (mine["allowed"], mine["reason"]) == (True, "")
    (other,) = explained("boards.Board", board.pk, "--as", "stranger")["subscriptions"]
    assert other["allowed"] is False
    assert "BoardViewSet" in other["reason"]
    (nobody,) = explained("boards.Board", board.pk)["subscriptions"]
    assert nobody["allowed"] is None


def test_an_inactive_user_may_not(board):
    class BoardBackend(PrivatePusherBackend):
        serializer_class = BoardSerializer
        channels = ["boards"]
        view_class = BoardViewSet

    get_user_model().objects.filter(username="owner").update(is_active=False)
    printed = text("boards.Board", board.pk, "--as", "owner")
    assert "no, the user is inactive" in printed


def test_all_kinds_of_rules_are_named(board):
    class BoardBackend(PresencePusherBackend):
        serializer_class = BoardSerializer
        channels = ["boards"]
        permission_classes = [IsAdminUser]

        def has_channel_permission(self, request, channel, **fields):
            return True

    printed = text("boards.Board", board.pk, "--as", board.owner_id)
    assert "permission_classes (IsAdminUser)" in printed
    assert "has_channel_permission(): no" in printed


def test_a_private_channel_without_a_rule_is_nobody_s(board):
    class BoardBackend(PrivatePusherBackend):
        serializer_class = BoardSerializer
        channels = ["boards"]

    assert "private-boards  no rule, so nobody" in text("boards.Board", board.pk)


def test_a_public_channel_is_anybody_s(order):
    assert explained("shop.Order", order.pk)["subscriptions"][0]["public"] is True
    assert "anybody" in text("shop.Order", order.pk)


def test_channels_that_nobody_listens_to_are_told(order, settings):
    from drf_model_pusher.occupancy.state import record

    cache.clear()
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    record({"orders": True, "all-orders": False}, 1_700_000_000_000)
    push = explained("shop.Order", order.pk)["pushes"][0]
    assert (push["vacant"], push["published"]) == (["all-orders"], 1)
    cache.clear()


def test_nothing_is_sent(order, pusher_api):
    text("shop.Order", order.pk, "--as", get_user_model().objects.create_user("ada").pk)
    assert pusher_api.calls == []


def test_a_backend_that_raises_is_told_and_the_others_go_on(order):
    class LineBackend(PusherBackend):
        serializer_class = LineSerializer

        def get_channels(self, instance=None):
            raise RuntimeError("oh")

    class OtherBackend(PusherBackend):
        serializer_class = LineSerializer
        channels = ["lines"]

    line = Line.objects.create(order=order, text="x")
    first, second = explained("shop.Line", line.pk)["pushes"]
    assert first["problem"] == "RuntimeError: oh"
    assert second["channels"] == ["lines"]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["nothing"], "'nothing' names no app; write the model as orders.Order.$"),
        (["shop.Nothing"], "no model"),
        (["shop.Line"], "No backend pushes changes of shop.Line; of these: shop.Order"),
        (["shop.Order", "999"], "no shop.Order with the key '999'"),
        (["shop.Order", "x"], "no shop.Order with the key 'x'"),
        (["shop.Order", None, "--event", "order.update"], "is no event"),
        (["shop.Order", None, "--as", "nobody"], "no user 'nobody'"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_so(order, args, error):
    args = [order.pk if arg is None else arg for arg in args]
    with pytest.raises(CommandError, match=error):
        text(*args, *([] if len(args) > 1 else ["1"]))
