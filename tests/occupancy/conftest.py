"""Tests with a cache of their own, in memory and in Redis."""

import pytest

from drf_model_pusher.backends import PusherBackend
from tests.occupied import answer, use_cache
from tests.shop.serializers import LineSerializer


@pytest.fixture(params=["locmem", "redis"], autouse=True)
def _cache(request, settings):
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    yield from use_cache(settings, request.param)


@pytest.fixture
def api(pusher_api):
    answer(pusher_api, [])
    return pusher_api


@pytest.fixture
def rendered(own_registry):
    """How often a backend of lines has rendered one."""
    times = []

    class Rendered(LineSerializer):
        def to_representation(self, instance):
            times.append(instance.pk)
            return super().to_representation(instance)

    class Backend(PusherBackend):
        serializer_class = Rendered

    return times
