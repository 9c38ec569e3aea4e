"""The data of events is encoded as the API's own JSON."""

import json
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.core.checks import run_checks
from django.utils.functional import lazystr
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.registry import registry
from drf_model_pusher.rendering.encoding import encode, encode_plain
from tests.shop.models import Line, Order
from tests.shop.serializers import LineSerializer

pytestmark = pytest.mark.usefixtures("own_registry")

VALUES = {
    "text": "Zoë 🦄",
    "uuid": uuid.UUID(int=7),
    "decimal": Decimal("1.50"),
    "date": date(2024, 1, 2),
    "moment": datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
    "span": timedelta(seconds=90),
    "lazy": lazystr("later"),
    "nothing": None,
    "list": [1, (2, {"deep": True})],
}


DRFS = JSONRenderer().render({"n": Decimal(1)}).decode()


class Money(JSONEncoder):
    def default(self, obj):
        return f"{obj} EUR" if isinstance(obj, Decimal) else super().default(obj)


class MoneyRenderer(JSONRenderer):
    encoder_class = Money


class ShoutingRenderer(JSONRenderer):
    """Stands for those that write keys in camel case."""

    def render(self, data, accepted_media_type=None, renderer_context=None):
        loud = {key.upper(): value for key, value in data.items()}
        return super().render(loud, accepted_media_type, renderer_context)


class ForeignRenderer(BaseRenderer):
    media_type, format = "application/json", "json"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        return json.dumps(data)


def path(renderer):
    return f"{renderer.__module__}.{renderer.__qualname__}"


@pytest.fixture
def renderers(settings):
    def choose(*classes, **more):
        names = [path(each) for each in classes]
        settings.REST_FRAMEWORK = {"DEFAULT_RENDERER_CLASSES": names, **more}

    return choose


class TestByDefault:
    def test_values_are_those_of_drfs_renderer(self):
        assert json.loads(encode(VALUES)) == json.loads(JSONRenderer().render(VALUES))

    def test_the_text_is_compact_and_in_unicode(self, settings):
        settings.REST_FRAMEWORK = {"COMPACT_JSON": False, "UNICODE_JSON": False}
        assert encode({"a": ["é", 1]}) == '{"a":["é",1]}'

    def test_nan_is_refused_where_json_is_strict(self):
        with pytest.raises(ValueError, match="Out of range float"):
            encode({"n": float("nan")})

    def test_nan_is_written_where_the_project_allows_it(self, settings):
        settings.REST_FRAMEWORK = {"STRICT_JSON": False}
        assert encode({"n": float("nan")}) == '{"n":NaN}'

    def test_the_encoder_is_that_of_the_first_json_renderer(self, renderers):
        class Html(BaseRenderer):
            media_type, format = "text/html", "html"

        assert encode({"n": Decimal(1)}) == DRFS
        renderers(MoneyRenderer, JSONRenderer)
        assert encode({"n": Decimal(1)}) == '{"n":"1 EUR"}'
        renderers(JSONRenderer, MoneyRenderer)
        assert encode({"n": Decimal(1)}) == DRFS

    @pytest.mark.parametrize("classes", [(), (ForeignRenderer,)])
    def test_without_a_renderer_of_drfs_it_is_drfs_own_encoder(self, renderers, classes):
        renderers(*classes)
        assert encode({"n": Decimal(1)}) == DRFS

    def test_half_a_character_is_escaped(self):
        assert encode("\ud800é") == '"\\ud800é"'

    def test_what_cannot_be_encoded_is_an_error(self):
        with pytest.raises(TypeError):
            encode(object())


class TestARendererThatWasChosen:
    def test_for_all(self, settings):
        settings.DRF_MODEL_PUSHER_RENDERER = path(ShoutingRenderer)
        assert encode({"a": 1}) == '{"A":1}'
        assert encode_plain({"a": 1}) == '{"a":1}'

    def test_for_one(self):
        assert encode({"a": 1}, ShoutingRenderer) == '{"A":1}'

    def test_may_return_text(self):
        assert encode({"a": 1}, ForeignRenderer) == '{"a": 1}'

    def test_nothing_is_null(self):
        """DRF's renderers make an empty text of it."""
        assert encode(None, JSONRenderer) == encode(None) == "null"

    @pytest.mark.parametrize("wrong", ["nowhere.Renderer", "os.getcwd", "json.JSONEncoder"])
    def test_what_is_none_is_a_wrong_setting(self, settings, wrong):
        settings.DRF_MODEL_PUSHER_RENDERER = wrong
        with pytest.raises(SettingError, match="which is no renderer"):
            encode({})
        assert "drf_model_pusher.E002" in [each.id for each in run_checks()]


class TestBackends:
    @pytest.fixture(params=["backend", "setting"])
    def backend(self, request, settings, own_registry, transactional_db):
        if request.param == "setting":
            settings.DRF_MODEL_PUSHER_RENDERER = path(ShoutingRenderer)

        class Backend(PusherBackend):
            serializer_class = LineSerializer
            channels = ["lines"]
            renderer_class = ShoutingRenderer if request.param == "backend" else None

        return Backend

    @pytest.fixture
    def line(self, transactional_db):
        return Line.objects.create(order=Order.objects.create(), text="tea")

    def test_its_events_say_what_the_renderer_says(self, backend, line, memory):
        backend().push_change("update", line)
        assert memory[0].json()["TEXT"] == "tea"

    def test_so_do_deletions_of_which_only_the_key_is_told(self, backend, line, memory):
        backend.delete_data = "key"
        backend().push_change("delete", line)
        assert memory[0].json() == {"ID": line.pk}

    def test_so_do_references(self, backend, line, memory, settings):
        settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES = 256
        line.text = "x" * 300
        line.save()
        backend().push_change("update", line)
        assert memory[0].json() == {"ID": line.pk, "TRUNCATED": True}


class TestTheCheck:
    @pytest.fixture
    def messages(self, own_registry):
        class Backend(PusherBackend):
            serializer_class = LineSerializer
            channels = ["lines"]

        return lambda: [m for m in run_checks() if m.id == "drf_model_pusher.W030"]

    def test_is_silent_where_events_say_what_the_api_says(self, messages, renderers):
        assert messages() == []
        renderers(MoneyRenderer)
        assert messages() == []

    @pytest.mark.parametrize("renderer", [ShoutingRenderer, ForeignRenderer])
    def test_warns_of_a_renderer_of_the_apis_own(self, messages, renderers, renderer, settings):
        renderers(renderer)
        (message,) = messages()
        assert path(renderer) in message.msg
        assert message.hint == f'DRF_MODEL_PUSHER_RENDERER = "{path(renderer)}"'
        settings.DRF_MODEL_PUSHER_RENDERER = path(renderer)
        assert messages() == []

    def test_warns_of_an_api_without_json(self, messages, renderers):
        renderers()
        assert "none for JSON" in messages()[0].msg

    def test_is_silent_where_each_backend_has_chosen(self, messages, renderers, monkeypatch):
        renderers(ShoutingRenderer)
        for backend in registry:
            monkeypatch.setattr(backend, "renderer_class", ShoutingRenderer)
        assert messages() == []
