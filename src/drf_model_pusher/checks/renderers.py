"""The system check of renderers: events say what the API says, as the API writes it."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Warning
from rest_framework.renderers import JSONRenderer

from drf_model_pusher.checks.classes import dotted_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.registry import registry
from drf_model_pusher.rendering.encoding import api_renderer


def check_renderers(**kwargs: Any) -> list[CheckMessage]:
    """Warn where the API writes its JSON in a way of its own, and nobody chose that for events."""
    try:
        chosen = app_settings.DRF_MODEL_PUSHER_RENDERER
    except SettingError:
        return []  # an error of its own
    if chosen or all(each.renderer_class for each in registry):
        return []
    renderer = api_renderer()
    if renderer is not None and renderer.render is JSONRenderer.render:
        return []  # of its attributes, events take the encoder
    found = "none for JSON" if renderer is None else dotted_name(renderer)
    path = "rest_framework.renderers.JSONRenderer" if renderer is None else found
    return [
        Warning(
            f"The API's renderer is {found}; events are encoded as DRF's JSONRenderer does.",
            hint=f'DRF_MODEL_PUSHER_RENDERER = "{path}"',
            id="drf_model_pusher.W030",
        )
    ]
