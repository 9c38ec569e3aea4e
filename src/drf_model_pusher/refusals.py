"""What says no to a subscription: answers that were meant so, and code that broke down."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import NotSupportedError, connections, transaction
from django.http import Http404
from rest_framework.exceptions import APIException

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


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """A subscription is not granted; the text is the reason, for developers only."""


def is_inactive(user: Any) -> bool:
    """Say whether this is a user who may not sign in any more, whatever let them through."""
    return getattr(user, "is_authenticated", False) and not getattr(user, "is_active", True)


@contextmanager
def refusing(source: str, *, queries: bool = True) -> Iterator[None]:
    """Let code of the project speak: whatever it raises is a refusal, and stays one.

    What was not meant as an answer is logged, with its class and its place. Its text is not: that
    may repeat what is in the database. Nor does it leave a broken transaction to what comes next.

    Args:
        source: Whose code it is.
        queries: Whether it may ask the database.

    Raises:
        Refused: It has said no, or broken down.
        SettingError: A setting does not fit, which is not the fault of one channel.
    """
    try:
        with _savepoints() if queries else nullcontext():
            yield
    except (Refused, SettingError):
        raise
    except ModelPusherException as error:  # our own words
        logger.error("authorization broke down source=%s error=%s", source, error)  # noqa: TRY400
        raise Refused(f"{source}: {error}") from error
    except _ANSWERS as error:
        raise Refused(f"{source}: {error!r}") from error
    except Exception as error:
        told = (source, type(error).__name__, _place(error))
        logger.error("authorization broke down source=%s error=%s at=%s", *told)  # noqa: TRY400
        raise Refused(f"{source} raised {told[1]} at {told[2]}") from error


@contextmanager
def _savepoints() -> Iterator[None]:
    """Undo what a refusal does to the request's own transactions.

    DRF marks those of ``ATOMIC_REQUESTS`` as broken when a view answers with an error: after the
    first channel that is refused, no other could be asked about.
    """
    with ExitStack() as stack:
        for connection in connections.all(initialized_only=True):
            if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block:
                stack.enter_context(transaction.atomic(using=connection.alias))
        yield


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"
