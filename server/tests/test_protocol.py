from __future__ import annotations

import json

import pytest

from pusher_dev_server import protocol
from pusher_dev_server.protocol import CloseCode, ProtocolError, Refused


class TestVersions:
    @pytest.mark.parametrize("version", ["5", "6", "7"])
    def test_spoken_versions_pass(self, version):
        protocol.check_versions({"protocol": version, "client": "js", "version": "8.6.0"})

    def test_the_library_need_not_name_its_version(self):
        protocol.check_versions({"protocol": "7"})

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ({}, CloseCode.NO_PROTOCOL),
            ({"protocol": "4"}, CloseCode.UNSUPPORTED_PROTOCOL),
            ({"protocol": "8"}, CloseCode.UNSUPPORTED_PROTOCOL),
            ({"protocol": "seven"}, CloseCode.UNSUPPORTED_PROTOCOL),
            ({"protocol": "7", "version": "new"}, CloseCode.INVALID_VERSION),
            ({"protocol": "7", "version": "8.6.0\n"}, CloseCode.INVALID_VERSION),
        ],
    )
    def test_others_are_refused_with_their_code(self, parameters, code):
        with pytest.raises(Refused) as refused:
            protocol.check_versions(parameters)
        assert refused.value.code == code

    def test_codes_are_the_documented_numbers(self):
        assert {code.name: code.value for code in CloseCode} == {
            "APP_NOT_FOUND": 4001,
            "APP_DISABLED": 4003,
            "OVER_QUOTA": 4004,
            "PATH_NOT_FOUND": 4005,
            "INVALID_VERSION": 4006,
            "UNSUPPORTED_PROTOCOL": 4007,
            "NO_PROTOCOL": 4008,
            "UNAUTHORIZED": 4009,
            "RECONNECT": 4200,
            "NO_PONG": 4201,
        }


class TestParsing:
    def test_a_frame_is_its_three_fields(self):
        text = '{"event":"client-x","channel":"private-a","data":{"n":1},"more":true}'
        frame = protocol.parse_frame(text, 1_000)
        assert (frame.event, frame.channel, frame.data) == ("client-x", "private-a", {"n": 1})

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "null",
            "[]",
            '"text"',
            "{}",
            '{"event":1}',
            '{"event":"a","channel":1}',
            '{"event":"a","data":NaN}',
            '{"event":"a","data":1e999}',
            '{"event":"a","data":' + "9" * 5_000 + "}",
            "[" * 100_000,
        ],
    )
    def test_what_is_no_frame_is_an_error(self, text):
        with pytest.raises(ProtocolError):
            protocol.parse_frame(text, 1_000_000)

    def test_the_size_is_counted_in_bytes(self):
        text = json.dumps({"event": "é" * 100}, ensure_ascii=False)
        size = len(text.encode())
        assert protocol.parse_frame(text, size).event == "é" * 100
        with pytest.raises(ProtocolError, match=f"larger than {size - 1} bytes"):
            protocol.parse_frame(text, size - 1)


class TestEncoding:
    def test_text_stays_readable(self):
        assert protocol.encode({"a": "é"}) == '{"a":"é"}'

    def test_a_lone_surrogate_becomes_an_escape(self):
        assert protocol.encode(["é\ud800"]) == '["\\u00e9\\ud800"]'

    @pytest.mark.parametrize("data", ["{}", '{"a": "é"}', "plain", "", '"quoted"', "\u2028\x00"])
    def test_published_data_stays_exactly_what_it_was(self, data):
        frame = protocol.event_frame(protocol.event_head("e", data), "c")
        assert json.loads(frame) == {"event": "e", "channel": "c", "data": data}

    def test_data_of_the_service_is_a_text_with_json(self):
        """The rule that breaks most servers: these frames encode their data twice."""
        for text, data in {
            protocol.connection_established("1.2", 120): {
                "socket_id": "1.2",
                "activity_timeout": 120,
            },
            protocol.subscription_succeeded("c", {}): {},
            protocol.member_added("c", "1", {"a": 1}): {"user_id": "1", "user_info": {"a": 1}},
            protocol.member_removed("c", "1"): {"user_id": "1"},
            protocol.subscription_count("c", 3): {"subscription_count": 3},
            protocol.watchlist_events(["1"], []): {
                "events": [{"name": "online", "user_ids": ["1"]}]
            },
        }.items():
            encoded = json.loads(text)["data"]
            assert isinstance(encoded, str)
            assert json.loads(encoded) == data

    def test_data_of_errors_pings_and_sign_ins_is_an_object(self):
        assert json.loads(protocol.error("no", 4301))["data"] == {"code": 4301, "message": "no"}
        assert json.loads(protocol.error("no"))["data"] == {"code": None, "message": "no"}
        assert json.loads(protocol.PING) == {"event": "pusher:ping", "data": {}}
        assert json.loads(protocol.PONG) == {"event": "pusher:pong", "data": {}}
        assert json.loads(protocol.signin_success("{}"))["data"] == {"user_data": "{}"}

    def test_the_activity_timeout_is_never_zero(self):
        """pusher-js throws at a time-out of 0."""
        text = json.loads(protocol.connection_established("1.2", 0.2))["data"]
        assert json.loads(text)["activity_timeout"] == 1
