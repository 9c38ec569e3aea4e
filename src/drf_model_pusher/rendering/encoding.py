"""The JSON text of an event's data: what the API's own JSON would say.

A renderer is chosen by ``renderer_class`` on a backend, or ``DRF_MODEL_PUSHER_RENDERER`` for all.
Without one, data is encoded as DRF's JSON renderer would with the project's settings, but compact
and in Unicode, since an event has little room.
"""

from __future__ import annotations

import re
from functools import lru_cache
from json import JSONEncoder
from typing import Any

from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.settings import api_settings

from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError

_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(data: Any, renderer_class: type[BaseRenderer] | None = None) -> str:
    """Return data as the JSON text that travels.

    Args:
        data: Anything that a DRF response could carry.
        renderer_class: What renders it; by default as the settings say.

    Raises:
        SettingError: ``DRF_MODEL_PUSHER_RENDERER`` names no renderer.
        TypeError, ValueError: The data cannot be encoded.
    """
    renderer_class = renderer_class or chosen_renderer()
    if renderer_class is None:
        return encode_plain(data)
    if data is None:  # DRF renders nothing at all, which is no JSON
        return "null"
    rendered = renderer_class().render(data)
    return rendered if isinstance(rendered, str) else bytes(rendered).decode()


def encode_plain(data: Any) -> str:
    """Return data as JSON text whatever renderer is chosen, for keys that the protocol reads."""
    text = _encoder().encode(data)
    # Half a character cannot be written in UTF-8; JSON has an escape for it.
    return text if text.isascii() else _SURROGATE.sub(_escape, text)


def chosen_renderer() -> type[BaseRenderer] | None:
    """Return the renderer that ``DRF_MODEL_PUSHER_RENDERER`` names, or None.

    Raises:
        SettingError: It names none.
    """
    path = app_settings.DRF_MODEL_PUSHER_RENDERER
    return _imported(path) if path else None


def api_renderer() -> type[BaseRenderer] | None:
    """Return the first of ``DEFAULT_RENDERER_CLASSES`` that renders JSON, or None."""
    renderers: Any = api_settings.DEFAULT_RENDERER_CLASSES
    return next((each for each in renderers or () if each.format == "json"), None)


@lru_cache(maxsize=1)
def _encoder() -> JSONEncoder:
    """Return the encoder of DRF's JSON renderer, made once for all events."""
    renderer = api_renderer()
    encoder_class = getattr(renderer, "encoder_class", None) or JSONRenderer.encoder_class
    encoder: JSONEncoder = encoder_class(
        ensure_ascii=False, allow_nan=not api_settings.STRICT_JSON, separators=(",", ":")
    )
    return encoder


@lru_cache(maxsize=8)
def _imported(path: str) -> type[BaseRenderer]:
    try:
        found = import_string(path)
    except ImportError as error:
        raise _no_renderer(path) from error
    if not (isinstance(found, type) and issubclass(found, BaseRenderer)):
        raise _no_renderer(path)
    return found


def _no_renderer(path: str) -> SettingError:
    return SettingError(
        f"The setting DRF_MODEL_PUSHER_RENDERER names {path!r}, which is no renderer.",
        hint="DRF_MODEL_PUSHER_RENDERER is the dotted path of a renderer of Django REST framework.",
    )


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _forget_encoder(*, setting: str, **kwargs: object) -> None:
    if setting == "REST_FRAMEWORK":
        _encoder.cache_clear()


setting_changed.connect(_forget_encoder, dispatch_uid="drf_model_pusher.encoding")
