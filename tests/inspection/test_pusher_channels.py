import io
import json

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command

from drf_model_pusher.occupancy.audience import Audience, audience
from tests.occupied import questions
from tests.pusher_api import Answer


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def script(api, *answers):
    """Have the API give these answers, one after the other."""
    for answer in answers:
        if not isinstance(answer, Answer):
            answer = Answer(body=json.dumps({"channels": answer}).encode())
        api.script.append(answer)


def run(*args):
    output = io.StringIO()
    call_command("pusher_channels", *args, stdout=output)
    return output.getvalue()


COUNTS = {"presence-room": {"subscription_count": 3}, "orders": {"subscription_count": 12}}
USERS = {"presence-room": {"user_count": 2}}


def test_a_table_with_counts(pusher_api):
    script(pusher_api, COUNTS, USERS)
    assert run().splitlines() == [
        "CHANNEL        USERS  SUBSCRIPTIONS",
        "orders             -             12",
        "presence-room      2              3",
    ]


def test_json_with_counts(pusher_api):
    script(pusher_api, COUNTS, USERS)
    assert json.loads(run("--json")) == {
        "orders": {"subscription_count": 12},
        "presence-room": {"user_count": 2, "subscription_count": 3},
    }


def test_an_app_without_subscription_counts(pusher_api):
    script(pusher_api, Answer(status=400, body=b"no counts"), {"orders": {}})
    assert run().splitlines() == ["CHANNEL", "orders"]


def test_nothing_is_occupied(pusher_api):
    script(pusher_api, {})
    assert run() == "No channel is occupied.\n"


def test_a_prefix_is_left_to_pusher(pusher_api):
    script(pusher_api, {"presence-room": {}}, USERS)
    run("--prefix", "presence-r")
    asked = [(call.query["filter_by_prefix"], call.query["info"]) for call in questions(pusher_api)]
    assert asked == [("presence-r", "subscription_count"), ("presence-r", "user_count")]


def test_sync_refreshes_the_cache(pusher_api, settings):
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    script(pusher_api, {"orders": {}}, {"orders": {}, "lines": {}})
    assert run("--sync").splitlines() == [
        "CHANNEL     CACHE",
        "lines     unknown",
        "orders   occupied",
    ]
    assert audience(["orders", "elsewhere"]) == Audience(channels=("orders",))


def test_without_sync_the_cache_is_left_alone(pusher_api, settings):
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    script(pusher_api, {"orders": {}})
    run()
    assert audience(["orders"]).unsure


@pytest.mark.parametrize("answer", [Answer(status=401, body=b"no"), Answer(status=500)])
def test_a_refusal_is_an_error_in_one_line(pusher_api, answer):
    script(pusher_api, answer)
    with pytest.raises(CommandError, match=r"401|500"):
        run()


@pytest.mark.parametrize("args", [[], ["--sync"]])
def test_a_cache_that_is_down_is_an_error_in_one_line(pusher_api, settings, args):
    pytest.importorskip("redis")
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    redis = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": redis, "LOCATION": "redis://127.0.0.1:1"}}
    script(pusher_api, {"orders": {}}, {"orders": {}})
    with pytest.raises(CommandError, match=r"The cache 'default' cannot be used: .*refused"):
        run(*args)


@pytest.mark.parametrize("args", [[], ["--sync"]])
def test_a_provider_that_cannot_tell_is_an_error(memory, args):
    with pytest.raises(CommandError, match="cannot tell"):
        run(*args)
