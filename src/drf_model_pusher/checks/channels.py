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

from drf_model_pusher.authorization.permission_rules import permission_rule
from drf_model_pusher.authorization.trusted import ask_about_objects
from drf_model_pusher.authorization.view_rules import view_rule_of
from drf_model_pusher.channel_templates import ChannelTemplate
from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.checks.backends import is_sound
from drf_model_pusher.checks.classes import dotted_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import DeclarationError, SettingError
from drf_model_pusher.lookups import is_unique
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
            field, may_be_null = _last_field(backend.model, path)
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


def _last_field(model: Any, path: str) -> tuple[Any, bool]:
    """Return the field at the end of a path, and whether a null may be on the way."""
    head, _, rest = path.partition("__")
    field = model._meta.pk if head == "pk" else model._meta.get_field(head)
    if not field.concrete or field.many_to_many:
        raise FieldDoesNotExist(path)
    if field.is_relation and (rest or head in ("pk", field.attname)):
        last, null = _last_field(field.related_model, rest or field.target_field.name)
        return last, null or field.null
    if rest:
        raise FieldDoesNotExist(path)
    return field, field.null


def _fits(field: Any) -> bool:
    if field.choices:
        return all(slug_re.match(str(value)) for value, _ in field.flatchoices)
    unicode_slug = getattr(field, "allow_unicode", False)
    may_be_empty = isinstance(field, models.SlugField) and field.blank
    return isinstance(field, _FIT) and not (
        isinstance(field, _MISFIT) or unicode_slug or may_be_empty
    )


def _view(backend: ChannelRules, template: ChannelTemplate) -> Iterator[CheckMessage]:
    fields = dict.fromkeys(template.fields, "1")
    problem = hint = None
    try:
        if backend.view_class is not None:
            problem = view_rule_of(backend, fields).problem()
            hint = (
                "Move what it does to its get_queryset() and its permissions, and then say "
                "`lists_queryset = True`; or write a `has_channel_permission()`."
            )
        if backend.permission_classes is not None:
            own = permission_rule(backend, fields).problem()
            problem, hint = (problem, hint) if problem else (own, _BY_OBJECT)
    except (DeclarationError, FieldDoesNotExist) as error:
        problem, hint = str(error), "A rule can only ask about fields of the database."
    if problem:
        yield Error(
            f"{dotted_name(backend)}: nobody may subscribe to {template.text!r}: {problem}.",
            hint=hint,
            obj=type(backend),
            id="drf_model_pusher.E013",
        )


def _weaker(backend: ChannelRules, template: ChannelTemplate) -> Iterator[CheckMessage]:
    """Find what a GET of an object is asked besides, and the rule is not."""
    if backend.view_class is None:
        return
    try:
        rule = view_rule_of(backend, dict.fromkeys(template.fields, "1"))
        unique = [field for field, _ in rule.lookups if is_unique(rule.model, field)]
    except (DeclarationError, FieldDoesNotExist):
        return  # an error of its own
    permissions = rule.view_class.permission_classes
    if not isinstance(permissions, (list, tuple)):  # a property, of which only a view can tell
        permissions = []
    by_object = [each for each in permissions if ask_about_objects([each])]
    if rule.pin is None and unique and by_object:
        names = ", ".join(getattr(each, "__qualname__", repr(each)) for each in by_object)
        yield CheckWarning(
            f"{dotted_name(backend)}: {template.text!r} is about one object, but {rule.name} would "
            f"take {rule.view_class.lookup_field!r} for that: its list decides, which does not ask "
            f"{names} about objects.",
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
            about = frozenset(view_rule_of(backend, fields).lookups)
        except (DeclarationError, FieldDoesNotExist):
            about = backend  # what is wrong with it is an error of its own
    own = (
        () if backend.view_class is not None and not any(_declared(backend)[1:]) else backend.model
    )
    return about, own, *map(str, _declared(backend))


def _declared(backend: ChannelRules) -> tuple[Any, Any, Any]:
    """Return the three kinds of rules, each falsy where there is none."""
    return (
        backend.view_class,
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
