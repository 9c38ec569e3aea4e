"""One form of an event, for every process and every release that reads it."""

import json
from dataclasses import fields, replace

import pytest

from drf_model_pusher.delivery.codec import UnreadableEventError, dump_event, load_event
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.providers import BaseProvider, provider_path
from tests.delivery.samples import FULL, PLAIN


def through_json(event):
    return load_event(json.loads(json.dumps(dump_event(event))))


def test_every_field_comes_back():
    assert through_json(FULL) == FULL
    assert through_json(PLAIN) == PLAIN
    for field in fields(PusherEvent):
        assert getattr(FULL, field.name) != field.default, "a field that this test forgets"
        alone = replace(PLAIN, **{field.name: getattr(FULL, field.name)})
        assert through_json(alone) == alone


def test_fields_with_their_default_take_no_room():
    assert dump_event(PLAIN) == {"channels": ["orders"], "name": "hello", "data": "{}"}


def test_half_a_character_comes_back():
    event = replace(PLAIN, data='"\ud800"')
    assert through_json(event) == event


def test_keys_of_a_later_release_are_passed_over():
    assert load_event({**dump_event(PLAIN), "colour": "green"}) == PLAIN


@pytest.mark.parametrize("junk", [None, 7, "text", [], [("name", "a")], True])
def test_what_is_no_object_is_refused(junk):
    with pytest.raises(UnreadableEventError, match="An event is an object, not "):
        load_event(junk)


@pytest.mark.parametrize("name", ["channels", "name", "data"])
def test_what_lacks_a_field_is_refused(name):
    values = dump_event(FULL)
    del values[name]
    with pytest.raises(UnreadableEventError, match=f"has no {name}"):
        load_event(values)


@pytest.mark.parametrize(
    ("name", "junk"),
    [
        *[(field.name, value) for field in fields(PusherEvent) for value in (7, {}, [None], b"x")],
        *[(name, None) for name in ("channels", "name", "data", "occupancy_unknown")],
        ("channels", "orders"),
        ("change", "explode"),
        ("occupancy_unknown", "yes"),
    ],
)
def test_a_field_of_another_type_is_refused_by_its_name(name, junk):
    with pytest.raises(UnreadableEventError, match=f"The event's {name} cannot be"):
        load_event({**dump_event(FULL), name: junk})


@pytest.mark.parametrize(
    ("name", "junk"),
    [
        ("channels", []),
        ("channels", ["a b"]),
        ("name", ""),
        ("socket_id", "1.x"),
        ("name", "pusher:a"),
    ],
)
def test_what_pusher_would_refuse_is_refused_without_a_word_of_it(name, junk):
    with pytest.raises(UnreadableEventError, match="Pusher would refuse") as caught:
        load_event({**dump_event(FULL), name: junk})
    assert "Zoë" not in str(caught.value)


def test_a_provider_that_no_other_process_finds_cannot_travel():
    class Inside(BaseProvider):
        def trigger(self, *args):
            pass

    with pytest.raises(DeclarationError, match="Inside stands inside a function"):
        dump_event(replace(PLAIN, provider=provider_path(Inside)))
