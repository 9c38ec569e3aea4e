"""One root, a handful of leaves; each also inherits the builtin that a caller would expect."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured


class ModelPusherException(Exception):  # noqa: N818 - the name that users of 0.2.0 catch
    """Everything that this package raises on purpose."""


class SettingError(ModelPusherException, ImproperlyConfigured):
    """A setting has a value of the wrong type or range.

    Attributes:
        message: What is wrong.
        hint: What to write instead, in one sentence.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message = message
        self.hint = hint


class DeclarationError(ModelPusherException, ImproperlyConfigured):
    """A backend or a view lacks something that it must declare."""


class InvalidEventError(ModelPusherException, ValueError):
    """Pusher would refuse this event: a name, its data or the socket id breaks a rule."""


class InvalidUserError(ModelPusherException, ValueError):
    """Pusher would refuse what describes a user: the id, or the size of what others may know."""


# Besides 5xx.
_RETRYABLE_STATUSES = (408, 429)

# Refusals that may be about one of several events; the others are about all that we send.
_STATUSES_OF_ONE_EVENT = (None, 400, 413, 422)


class ProviderError(ModelPusherException):
    """A provider could not send.

    Its own text goes into the log, so it is ours: never the payload, nor what may repeat it.

    Attributes:
        detail: What the remote side or a third party's exception said, at most 200 characters. It
            is not part of ``str(error)``: it may repeat the payload, or forge lines of a log.
        status: The HTTP status, where there was an answer.
        retryable: Whether the same call may succeed later. By default the status decides: 408,
            429 and 5xx are worth a retry, others are not, and no status is not either.
        retry_after: Seconds that the service asked to wait, where it did.
        sent: How many of the events handed to ``send()`` had left before the failure.
        refused: How many events after those the failure is about, 1 or more; events behind them
            were not tried.
        partial: What is left of the first event that had not left, where some of its channels
            were served already.
    """

    def __init__(
        self,
        message: str,
        *,
        detail: str = "",
        status: int | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        sent: int = 0,
        refused: int = 1,
        partial: Any = None,
    ) -> None:
        super().__init__(message)
        self.detail = detail[:200]
        self.status = status
        if retryable is None:
            retryable = status in _RETRYABLE_STATUSES or (status or 0) >= 500
        self.retryable = retryable
        self.retry_after = _number(retry_after)
        self.sent = sent
        self.refused = refused
        self.partial = partial

    @property
    def is_about_one_event(self) -> bool:
        """Whether another event may be taken: this one is refused for what it says."""
        return not self.retryable and self.status in _STATUSES_OF_ONE_EVENT

    @classmethod
    def of(cls, failure: BaseException, *, sent: int = 0, refused: int = 1) -> ProviderError:
        """Return what an exception of somebody else's means: the network's is worth a retry."""
        try:
            detail = str(failure)
        except Exception:  # noqa: BLE001 - what describes a failure must not be another
            detail = ""
        return cls(
            type(failure).__name__,
            detail=detail,
            retryable=isinstance(failure, OSError),
            sent=sent,
            refused=refused,
        )


def _number(value: Any) -> float | None:
    """Return a number, also for the text of a header; None where it is none."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


class DroppedError(ProviderError):
    """An event was given up without another try: too many waited, it was too old, or too large."""
