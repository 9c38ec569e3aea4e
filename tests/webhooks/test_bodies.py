"""Webhooks of all kinds, made up by Hypothesis; ``HYPOTHESIS_PROFILE=thorough`` tries 10,000."""

import json

import pytest
from django.core.cache import cache, caches
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from drf_model_pusher import signals
from drf_model_pusher.channels import is_cache_channel
from drf_model_pusher.occupancy.state import STATE, record
from tests.webhooks.posting import KEY, SECRET, event, now_ms, post, signature

KINDS = sorted(signals.WEBHOOKS)
OLD, OLD_SECRET = "old-key", "old-secret"

# The fixtures are the same for all examples: what is shared is looked at in each of them.
examples = hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

texts = st.text(st.characters(codec=None), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
channels = st.from_regex(r"[-a-zA-Z0-9_=@,.;]{1,20}", fullmatch=True)
names = st.sampled_from(KINDS) | texts
keys = st.sampled_from(["channel", "user_id", "event", "data", "socket_id", "subscription_count"])
odd_events = st.fixed_dictionaries({"name": names}) | values
odd_events |= st.builds(
    lambda name, given: {**given, "name": name}, names, st.dictionaries(keys, channels | values)
)
odd_times = st.integers() | st.floats() | values
header_values = st.text(st.characters(codec=None), max_size=70)


def good_event(name, channel, text):
    """An event with all that its kind has."""
    more = {
        "member_added": {"user_id": text or "7"},
        "member_removed": {"user_id": text or "7"},
        "client_event": {"event": "client-x", "data": text, "socket_id": "1.2"},
        "subscription_count": {"subscription_count": len(text)},
    }
    return event(name, channel, **more.get(name, {}))


good_events = st.lists(st.builds(good_event, st.sampled_from(KINDS), channels, texts), max_size=5)


@st.composite
def spelled(draw, value):
    """JSON text of a value as bytes: its keys in any order, its spaces anywhere, escaped or not."""
    space = draw(st.sampled_from(["", " ", "\n\t", "\r\n  "]))

    def write(value):
        if isinstance(value, dict):
            items = draw(st.permutations(list(value.items())))
            pairs = [f"{json.dumps(key)}{space}:{space}{write(item)}" for key, item in items]
            return "{" + space + f"{space},{space}".join(pairs) + space + "}"
        if isinstance(value, list):
            return "[" + space + f",{space}".join(map(write, value)) + "]"
        return json.dumps(value, ensure_ascii=draw(st.booleans()))

    text = space + write(value) + space
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair has to be escaped
        return json.dumps(value).encode()


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    settings.PUSHER_EXTRA_KEYS = {OLD: OLD_SECRET}


@pytest.fixture
def heard():
    """The names of the signals that were sent."""
    told = []
    receivers = [
        (signal, lambda name=name, **kwargs: told.append(name))
        for name, signal in signals.WEBHOOKS.items()
    ]
    for signal, receiver in receivers:
        signal.connect(receiver)
    yield told
    for signal, receiver in receivers:
        signal.disconnect(receiver)


class TestUnsigned:
    """Whatever is not signed is refused, and changes nothing."""

    def check(self, response, heard):
        assert response.status_code == 401
        assert heard == []
        assert self.remembered() == self.before

    @pytest.fixture(autouse=True)
    def _before(self):
        cache.clear()
        record({"orders": True, "lines": False}, now_ms(-60))
        self.before = self.remembered()

    def remembered(self):
        return dict(caches["default"]._cache)

    @examples
    @given(body=st.binary(max_size=200), key=header_values, signed=header_values)
    def test_bytes(self, heard, body, key, signed):
        self.check(post(body, key=key, signed=signed), heard)

    @examples
    @given(
        body=good_events.flatmap(lambda events: spelled({"time_ms": now_ms(), "events": events})),
        key=st.sampled_from([KEY, OLD, "", False]) | header_values,
        signed=st.sampled_from([False, "", "0" * 64]) | header_values,
    )
    def test_good_bodies_with_other_headers(self, heard, body, key, signed):
        assume(signed not in (signature(body), signature(body, OLD_SECRET)))
        self.check(post(body, key=key, signed=signed), heard)

    @examples
    @given(
        body=good_events.flatmap(lambda events: spelled({"time_ms": now_ms(), "events": events})),
        cut=st.integers(1, 50),
        more=st.binary(max_size=5),
    )
    def test_bodies_that_are_cut_or_changed_on_the_way(self, heard, body, cut, more):
        changed = body[:-cut] + more
        assume(changed != body)
        self.check(post(changed, signed=signature(body)), heard)

    @examples
    @given(
        body=good_events.flatmap(lambda events: spelled({"time_ms": now_ms(), "events": events})),
        key=st.sampled_from([KEY, OLD]),
        secret=st.text(st.characters(codec="utf-8"), max_size=30),
    )
    def test_bodies_signed_with_another_secret(self, heard, body, key, secret):
        assume({KEY: SECRET, OLD: OLD_SECRET}[key] != secret)
        self.check(post(body, key=key, signed=signature(body, secret)), heard)


class TestSigned:
    """Whatever is signed is taken or refused, and nothing breaks."""

    @examples
    @given(body=st.binary(max_size=200))
    def test_bytes(self, heard, body):
        assert post(body).status_code == 400
        assert heard == []

    @examples
    @given(
        body=st.fixed_dictionaries(
            {"time_ms": odd_times | st.just(0), "events": st.lists(odd_events, max_size=4) | values}
        ).flatmap(spelled)
    )
    def test_shapes_of_any_time(self, heard, body):
        assert post(body).status_code in (400, 401)
        assert heard == []

    @examples
    @given(events=st.lists(odd_events, max_size=4), data=st.data())
    def test_shapes_of_now(self, heard, events, data):
        heard.clear()
        body = data.draw(spelled({"time_ms": now_ms(), "events": events}))
        status = post(body).status_code
        assert status in (200, 400)
        assert status == 200 or heard == []

    @examples
    @given(
        events=good_events,
        seconds=st.integers(-300, 300),
        key=st.sampled_from([(KEY, SECRET), (OLD, OLD_SECRET)]),
        data=st.data(),
    )
    def test_webhooks_however_spelled(self, heard, events, seconds, key, data):
        heard.clear()
        cache.clear()
        body = data.draw(spelled({"time_ms": now_ms(seconds), "events": events}))
        assert post(body, key=key[0], signed=signature(body, key[1])).status_code == 200
        assert heard == [event["name"] for event in events]
        last = {e["channel"]: e["name"] for e in events if e["name"].startswith("channel_")}
        for channel, name in last.items():
            if not is_cache_channel(channel):
                assert cache.get(STATE + channel) is (name == "channel_occupied")
