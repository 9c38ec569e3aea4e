"""What the outbox stores of a change is all that can be told of it later."""

import uuid
from dataclasses import fields, replace

import pytest

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.change import Change, PreviousChannels
from drf_model_pusher.changes.codec import dumps, loads
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DeclarationError
from tests.boards.models import Task
from tests.depot.models import Item, Seat

pytestmark = pytest.mark.usefixtures("own_registry")

EVENT = PusherEvent(
    channels=("a", "private-b"),
    name="item.delete",
    data='{"id":1}',
    socket_id="1.2",
    occupancy_unknown=True,
)


@pytest.fixture
def items():
    class Items(PusherBackend):
        channels = ["items"]
        touches = ["parcel"]

        class Meta:
            model = Item

    return Items


def read_back(item):
    return loads(dumps(item), "default")


def test_every_field_of_a_change_comes_back_but_the_view(items):
    change = Change(
        backend=items,
        verb="update",
        keys=[7],
        using="default",
        before={7: PreviousChannels(channels=["old"], key={"id": 7})},
        previous={"parcel_id": 3},
        changed_fields=frozenset({"text", "parcel"}),
        socket_id="1.2",
        base_url="https://api.example.com/",
        silent=(items,),
        events=[EVENT],
        touches=False,
        view=object(),
    )
    again = read_back(change)
    for field in fields(Change):
        wanted = getattr(replace(change, view=None), field.name)
        assert getattr(again, field.name) == wanted, field.name


def test_what_is_not_known_is_not_known_later(items):
    again = read_back(Change(backend=items, verb="packed", keys=[7], using="default"))
    assert (again.changed_fields, again.events, again.before) == (None, None, {})


def test_an_event_about_no_object_comes_back():
    assert read_back(EVENT) == EVENT


@pytest.mark.parametrize(
    ("model", "key"), [(Task, uuid.uuid4()), (Seat, (1, 2)), (Item, 7), (Item, None)]
)
def test_keys_have_the_type_of_their_field(model, key):
    meta = type("Meta", (), {"model": model})
    backend = type("Backend", (PusherBackend,), {"channels": ["all"], "Meta": meta})
    assert read_back(Change(backend=backend, verb="create", keys=[key], using="default")).keys == [
        key
    ]


def test_a_backend_that_is_gone_is_an_error_that_names_it(items):
    text = dumps(Change(backend=items, verb="update", keys=[7], using="default"))
    with pytest.raises(DeclarationError, match=r"no backend .*Itemsx any more"):
        loads(text.replace("Items", "Itemsx"), "default")
