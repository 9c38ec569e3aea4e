import dataclasses

import pytest

from drf_model_pusher.events import PusherEvent, check_event, check_size, is_valid_socket_id
from drf_model_pusher.exceptions import InvalidEventError


def event(**changes):
    return PusherEvent(**{"channels": ("orders",), "name": "order.update", "data": "{}"} | changes)


class TestPusherEvent:
    def test_is_a_value(self):
        assert event() == event()
        assert hash(event()) == hash(event())
        with pytest.raises(dataclasses.FrozenInstanceError):
            event().name = "other"

    def test_json_decodes_the_data(self):
        assert event(data='{"a":[1,"é"]}').json() == {"a": [1, "é"]}


class TestRules:
    def test_a_good_event_passes(self):
        check_event(event(name="n" * 200, socket_id="1.2"))
        check_event(event(channels=("#server-to-user-7",)))

    @pytest.mark.parametrize(
        "changes",
        [
            {"channels": ()},
            {"channels": ("orders", "or:ders")},
            {"channels": ("#other",)},
            {"name": ""},
            {"name": "n" * 201},
            {"name": "pusher:subscribe"},
            *[{"name": f"order{c}update"} for c in "\n\r\t\0\x1b\x7f\x85\x9f"],
            {"name": "pusher_internal:member_added"},
            {"socket_id": "1.1:presence-x"},
        ],
    )
    def test_what_pusher_refuses_is_refused(self, changes):
        with pytest.raises(InvalidEventError):
            check_event(event(**changes))

    def test_size_counts_bytes_of_utf8(self):
        check_size(event(data="é" * 5), 10)
        with pytest.raises(InvalidEventError, match="11 bytes; the limit is 10"):
            check_size(event(data="é" * 5 + "a"), 10)

    def test_a_limit_of_the_request_counts_all_of_it(self):
        """Names, quotes and their escapes, too."""
        one = event(channels=("a",), name="e", data='"é"', socket_id="1.2")
        body = '{"channels":["a"],"name":"e","data":"\\"é\\"","socket_id":"1.2"}'
        size = len(body.encode())
        check_size(one, 100, size)
        with pytest.raises(InvalidEventError, match=f"has {size} bytes; the limit is {size - 1}"):
            check_size(one, 100, size - 1)

    def test_half_a_character_has_a_size(self):
        check_size(event(data='"\ud800"'), 5)

    @pytest.mark.parametrize(
        "socket_id", ["", "1", "1.", ".1", "1.2.3", "1.2\n", "1.٣", "a.b", "-1.2", "1." + "2" * 33]
    )
    def test_malformed_socket_ids(self, socket_id):
        assert not is_valid_socket_id(socket_id)

    def test_well_formed_socket_id(self):
        assert is_valid_socket_id("6512.9948")
        assert is_valid_socket_id("1" * 32 + "." + "2" * 32)
