"""What says no to a subscription: answers that were meant so, and code that broke down."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Sequence
from typing import Any

import django
import rest_framework
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import NotSupportedError, connections, transaction
from django.http import Http404
from rest_framework.exceptions import APIException

import drf_model_pusher as package
from drf_model_pusher.exceptions import ModelPusherException, SettingError

logger = logging.getLogger("drf_model_pusher")

#: What says no on purpose, or of a name that nobody has.
_ANSWERS = (
    APIException,
    Http404,
    PermissionDenied,
    ObjectDoesNotExist,
    # Of a name's text that is no value of the field that it is for.
    ValidationError,
    ValueError,
    # Of a queryset that cannot be filtered any more: a union, or a slice.
    NotSupportedError,
)

#: Where code is that only hands on what the project's own raised.
_NOT_THE_PROJECTS = tuple(
    os.path.dirname(str(each.__file__)) + os.sep for each in (django, rest_framework, package)
)


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """A subscription is not granted; the text is the reason, for developers only."""


def is_inactive(user: Any) -> bool:
    """Say whether this is a user who may not sign in any more, whatever let them through."""
    return getattr(user, "is_authenticated", False) and not getattr(user, "is_active", True)


class BrokeDown(Refused):
    """A subscription is not granted because what should have decided could not."""


class Refusing:
    """Lets code of the project speak: whatever it raises is a refusal, and stays one.

    What was not meant as an answer is logged, with its class and its place. Its text is not: that
    may repeat what is in the database. Nor does it leave a broken transaction to what comes next:
    DRF marks those of ``ATOMIC_REQUESTS`` as broken when a view answers with an error, and then no
    other channel could be asked about.

    It raises ``Refused``; and ``SettingError``, for which no single channel is to blame.
    """

    def __init__(self, source: str, *, queries: bool = True) -> None:
        self._source = source
        self._queries = queries

    def __enter__(self) -> None:
        # Written out, not @contextmanager: each channel passes here several times.
        self._savepoints = _savepoints() if self._queries else ()
        for savepoint in self._savepoints:
            savepoint.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        for savepoint in reversed(self._savepoints):
            savepoint.__exit__(kind, error, trace)
        if not isinstance(error, Exception) or isinstance(error, (Refused, SettingError)):
            return
        # Errors of our own say what to do, in our words.
        is_own = isinstance(error, ModelPusherException)
        if isinstance(error, _ANSWERS) and not is_own:
            raise Refused(f"{self._source}: {type(error).__name__}") from error
        told = str(error) if is_own else _class_and_place(error)
        logger.error("authorization broke down source=%s error=%s", self._source, told)
        raise BrokeDown(f"{self._source}: {told}") from error


def _savepoints() -> Sequence[transaction.Atomic]:
    """Return a savepoint for each of the request's own transactions."""
    return [
        transaction.atomic(using=connection.alias)
        for connection in connections.all(initialized_only=True)
        if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block
    ]


def _class_and_place(error: Exception) -> str:
    """Return the class of an error, and the last line of the project's own that led to it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_THE_PROJECTS)]
    frame = (own or frames)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
