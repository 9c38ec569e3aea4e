"""System checks of what backends declare about their channels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import FieldDoesNotExist
from django.core.validators import slug_re
from django.db import models
from django.urls import NoReverseMatch, reverse
from rest_framework.viewsets import ViewSetMixin

from drf_model_pusher.authorization.asking import ask_about_objects
from drf_model_pusher.authorization.gets import candidates, no_url
from drf_model_pusher.authorization.permission_rules import permission_problem
from drf_model_pusher.authorization.subjects import permission_subject, view_subject
from drf_model_pusher.channel_templates import ChannelTemplate
from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.checks.backends import is_sound
from drf_model_pusher.checks.classes import dotted_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import DeclarationError, SettingError
from drf_model_pusher.lookups import field_at, is_unique
from drf_model_pusher.registry import registry
from drf_model_pusher.rules import ChannelRules

#: Fields whose values can stand in a channel's name, and are never empty unless they may be null.
_FIT = (
    models.IntegerField,
    models.BooleanField,
    models.UUIDField,
    models.SlugField,
    models.DateField,
)

_MISFIT = (models.DateTimeField,)

_BY_OBJECT = (
    "Name one object in the template, such as {pk}; or give the backend a `view_class`, whose list "
    "decides, or a `has_channel_permission()`."
)


_OTHER_RULE = (
    "Name another view, by `view_class` or `view_name`; or write a `has_channel_permission()`."
)


def check_channels(**kwargs: Any) -> list[CheckMessage]:
    """Check the templates and the rules of every backend."""
    # What has a value that means nothing is told of, and cannot be asked more.
    backends = [backend() for backend in registry if is_sound(backend)]
    found: list[CheckMessage] = []
    sound = []
    for backend in backends:
        try:
            backend.templates()
        except DeclarationError as error:
            found.append(_invalid_template(backend, error))
        else:
            sound.append(backend)
    for backend in sound:
        for template in backend.templates():
            found += _fields(backend, template)
            found += _view(backend, template)
            found += _weaker(backend, template)
        found += [*_no_rule(backend), *_no_master_key(backend)]
    return [*found, *_conflicts(sound)]


def _invalid_template(backend: ChannelRules, error: DeclarationError) -> CheckMessage:
    return Error(
        f"{dotted_name(backend)}: {error}",
        hint='A template is a text such as "orders.{pk}" or "customers.{customer__slug}.orders".',
        obj=type(backend),
        id="drf_model_pusher.E010",
    )


def _fields(backend: ChannelRules, template: ChannelTemplate) -> Iterator[CheckMessage]:
    for path in template.fields:
        try:
            field, may_be_null = field_at(backend.model, path)
        except FieldDoesNotExist:
            if not hasattr(backend.model, path.split("__")[0]):
                yield Error(
                    f"{dotted_name(backend)}: the channel {template.text!r} has the field "
                    f"{path!r}, which {backend.model.__name__} has not.",
                    hint="Write the name of a field, or several joined by two underscores.",
                    obj=type(backend),
                    id="drf_model_pusher.E011",
                )
            continue
        if may_be_null or not _fits(field):
            why = "may have no value" if may_be_null else "may have values that no name can hold"
            yield CheckWarning(
                f"{dotted_name(backend)}: the channel {template.text!r} has the field "
                f"{path!r}, which {why}; to push such an object will be an error.",
                hint="Use a field of numbers, UUIDs, slugs or dates that is never null, or write "
                "a `get_channels()`, which may leave a channel out.",
                obj=type(backend),
                id="drf_model_pusher.W010",
            )


def _fits(field: Any) -> bool:
    if field.choices:
        return all(slug_re.match(str(value)) for value, _ in field.flatchoices)
    unicode_slug = getattr(field, "allow_unicode", False)
    may_be_empty = isinstance(field, models.SlugField) and field.blank
    return isinstance(field, _FIT) and not (
        isinstance(field, _MISFIT) or unicode_slug or may_be_empty
    )


def _view(backend: ChannelRules, template: ChannelTemplate) -> Iterator[CheckMessage]:
    """Find rules that will never grant a template, as far as declarations and ROOT_URLCONF tell."""
    fields = dict.fromkeys(template.fields, "1")
    try:
        found = _view_problem(backend, fields)
        if found is None and backend.permission_classes is not None:
            problem = permission_problem(backend, permission_subject(backend, fields))
            found = (problem, _BY_OBJECT) if problem else None
    except (DeclarationError, FieldDoesNotExist) as error:
        found = str(error), "A rule can only ask about fields of the database."
    if found:
        problem, hint = found
        yield Error(
            f"{dotted_name(backend)}: nobody may subscribe to {template.text!r}: {problem}.",
            hint=hint,
            obj=type(backend),
            id="drf_model_pusher.E013",
        )


def _view_problem(backend: ChannelRules, fields: dict[str, Any]) -> tuple[str, str] | None:
    """Return why a view will never grant what a template is about, and what to do."""
    view: Any = backend.view_class
    if view is None and backend.view_name is None:
        return None
    subject = view_subject(backend, fields, view)
    if getattr(view, "view_is_async", False):
        return f"{subject.source} is async, and only views that are not can be asked", _OTHER_RULE
    method = subject.action if issubclass(view or object, ViewSetMixin) else "get"
    if view and not (hasattr(view, method) and "get" in view.http_method_names):
        return f"{subject.source} answers no GET with {method}()", _OTHER_RULE
    if _is_routed() and not list(candidates(backend, fields)):
        return no_url(backend, subject), f"Add the route. {_OTHER_RULE}"
    return None


def _weaker(backend: ChannelRules, template: ChannelTemplate) -> Iterator[CheckMessage]:
    """Find what a GET of an object is asked besides, and the rule is not."""
    view: Any = backend.view_class
    if view is None:
        return
    try:
        subject = view_subject(backend, dict.fromkeys(template.fields, "1"), view)
        model: Any = subject.model
        unique = [field for field, _ in subject.lookups if is_unique(model, field)]
    except (DeclarationError, FieldDoesNotExist):
        return  # an error of its own
    permissions = view.permission_classes
    if not isinstance(permissions, (list, tuple)):  # a property, of which only a view can tell
        permissions = []
    by_object = [each for each in permissions if ask_about_objects([each])]
    if subject.pin is None and unique and by_object:
        names = ", ".join(getattr(each, "__qualname__", repr(each)) for each in by_object)
        yield CheckWarning(
            f"{dotted_name(backend)}: {template.text!r} is about one object, but "
            f"{subject.source} would take {view.lookup_field!r} for that: its list decides, which "
            f"does not ask {names} about objects.",
            hint="Put {pk} or the view's `lookup_field` into the template.",
            obj=type(backend),
            id="drf_model_pusher.W012",
        )


def _no_rule(backend: ChannelRules) -> Iterator[CheckMessage]:
    needs_rule = backend.channel_prefix != ChannelKind.PUBLIC.value or any(
        template.kind is not ChannelKind.PUBLIC for template in backend.templates()
    )
    if needs_rule and not any(_declared(backend)) and _is_routed():
        yield CheckWarning(
            f"{dotted_name(backend)} has no rule, so that nobody may subscribe to its channels.",
            hint="Give it a `view_class`, whose GET decides, `permission_classes` or a "
            "`has_channel_permission()`.",
            obj=type(backend),
            id="drf_model_pusher.W011",
        )


def _no_master_key(backend: ChannelRules) -> Iterator[CheckMessage]:
    if backend.channel_prefix != ChannelKind.ENCRYPTED.value:
        return
    try:
        missing = not app_settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64
    except SettingError:
        return  # the check of the settings says so
    if missing and not app_settings.DRF_MODEL_PUSHER_DISABLED:
        yield Error(
            f"{dotted_name(backend)} needs the setting PUSHER_ENCRYPTION_MASTER_KEY_BASE64.",
            hint="Set it to what `openssl rand -base64 32` prints.",
            obj=type(backend),
            id="drf_model_pusher.E014",
        )


def _conflicts(backends: list[Any]) -> Iterator[CheckMessage]:
    """Go through pairs of templates that share a name but not their rule."""
    claims = [
        (backend, template)
        for backend in backends
        for template in backend.templates()
        if template.kind is not ChannelKind.PUBLIC
    ]
    for (one, mine), (other, theirs) in combinations(claims, 2):
        if mine.overlaps(theirs) and _rule(one, mine) != _rule(other, theirs):
            yield Error(
                f"{dotted_name(one)} with {mine.text!r} and {dotted_name(other)} with "
                f"{theirs.text!r} claim the same channels by different rules.",
                hint="Give the templates beginnings of their own, or the backends the same rule: "
                "a channel that they share is granted by all of them or by none.",
                obj=type(one),
                id="drf_model_pusher.E012",
            )


def _rule(backend: ChannelRules, template: ChannelTemplate) -> object:
    fields = dict.fromkeys(template.fields, "")
    about: Any = frozenset(fields)
    if backend.view_class is not None:
        try:
            about = frozenset(dict(view_subject(backend, fields, backend.view_class).lookups))
        except (DeclarationError, FieldDoesNotExist):
            about = backend  # what is wrong with it is an error of its own
    *views, permissions, method = _declared(backend)
    own = () if backend.view_class and not permissions and not method else backend.model
    return about, own, *map(str, (*views, permissions, method))


def _declared(backend: ChannelRules) -> tuple[Any, Any, Any, Any]:
    """Return the kinds of rules, each falsy where there is none."""
    return (
        backend.view_class,
        backend.view_name,
        # An empty list is a rule as well: it lets everybody in.
        backend.permission_classes is not None and ("all", *backend.permission_classes),
        backend.permits_by_itself() and type(backend).has_channel_permission,
    )


def _is_routed() -> bool:
    """Say whether the project lets us decide at all, or has an endpoint of its own."""
    try:
        reverse("drf_model_pusher:auth")
    except NoReverseMatch:
        return False
    return True
