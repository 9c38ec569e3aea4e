"""What is wrong with a project, or right: findings that ``manage.py pusher_doctor`` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from django.conf import settings
from django.core.checks import ERROR, WARNING, run_checks

from drf_model_pusher.authorization.views import AuthorizationView
from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.exceptions import ModelPusherException
from drf_model_pusher.inspection import state
from drf_model_pusher.inspection.findings import Finding, fail, ok, warn
from drf_model_pusher.inspection.probing import probe
from drf_model_pusher.providers import PusherProvider, get_provider
from drf_model_pusher.registry import registry
from drf_model_pusher.routes import routed
from drf_model_pusher.webhooks.views import ChannelExistenceWebhook


def diagnose() -> Iterator[Finding]:
    """Look at everything, one thing after the other; what breaks while it is looked at has failed.

    Nothing of it holds a secret of the settings.
    """
    for look in (
        _settings,
        _checks,
        _service,
        _webhook_route,
        _auth_route,
        state.cache,
        state.occupancy,
        state.delivery,
        state.outbox,
    ):
        yield from map(_without_secrets, _careful(look))


def _careful(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what is looked for
        ours = isinstance(error, ModelPusherException)
        found = str(error) if ours else f"{type(error).__name__}: {error}"
        topic = look.__name__.strip("_").replace("_", " ")
        yield fail(topic, found, "Set right what it names.")


def _without_secrets(finding: Finding) -> Finding:
    """Return a finding in one line and without a secret, whatever an error repeated."""
    found = " ".join(finding.found.split())
    for secret in _secrets():
        found = found.replace(secret, "…")
    return replace(finding, found=found)


def _secrets() -> list[str]:
    names = ("SECRET", "ENCRYPTION_MASTER_KEY_BASE64", "ENCRYPTION_OLDER_MASTER_KEY_BASE64")
    found = [getattr(settings, f"PUSHER_{name}", None) for name in names]
    extra = getattr(settings, "PUSHER_EXTRA_KEYS", None)
    found += extra.values() if isinstance(extra, dict) else ()
    return [str(secret) for secret in found if secret]


def _settings() -> Iterator[Finding]:
    delivery, provider = get_delivery(), get_provider()
    if app_settings.DRF_MODEL_PUSHER_DISABLED:
        yield warn(
            "settings",
            "DRF_MODEL_PUSHER_DISABLED is True: nothing is pushed",
            "Take it out to push.",
        )
    app = ""
    if isinstance(provider, PusherProvider):
        app = f" at {provider.transport.address}, app {app_settings.PUSHER_APP_ID}"
    names = f"{type(delivery).__name__}, {type(provider).__name__}{app}"
    yield ok("settings", names)


def _checks() -> Iterator[Finding]:
    complaints = [
        message
        for message in run_checks(include_deployment_checks=not settings.DEBUG)
        if (message.id or "").startswith("drf_model_pusher.")
        and message.level >= WARNING
        and not message.is_silenced()
    ]
    for message in complaints:
        found = f"{(message.id or '').removeprefix('drf_model_pusher.')} {message.msg}"
        yield (fail if message.level >= ERROR else warn)("checks", found, message.hint or "")
    if not complaints:
        yield ok("checks", "no complaints")


def _service() -> Iterator[Finding]:
    provider = get_provider()
    if not isinstance(provider, PusherProvider):
        yield warn(
            "service",
            f"not asked: events go to {type(provider).__name__}, and not to Pusher's protocol",
            "Nothing, if that is meant; else set DRF_MODEL_PUSHER_PROVIDER to PusherProvider.",
        )
        return
    yield from probe(provider)


def _webhook_route() -> Iterator[Finding]:
    topic = "webhook route"
    if paths := [path for path, _ in routed(ChannelExistenceWebhook)]:
        yield ok(topic, ", ".join(paths))
    elif app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED:
        yield warn(
            topic,
            "none, though occupied channels are to be known",
            'Add path("pusher/", include("drf_model_pusher.urls")).',
        )
    else:
        yield ok(topic, "none, and nothing needs it")


def _auth_route() -> Iterator[Finding]:
    topic = "auth route"
    closed = [
        backend.__qualname__
        for backend in registry
        if backend.channel_prefix != ChannelKind.PUBLIC.value
    ]
    if paths := [path for path, _ in routed(AuthorizationView)]:
        yield ok(topic, ", ".join(paths))
    elif closed:
        yield warn(
            topic,
            f"none, though channels of {', '.join(closed)} need it",
            'Add path("pusher/", include("drf_model_pusher.urls")), unless the project has '
            "an endpoint of its own.",
        )
    else:
        yield ok(topic, "none, and all channels are public")
