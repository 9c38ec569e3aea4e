"""Users as Pusher knows them: their ids, and the names that others see."""

from __future__ import annotations

from typing import Any

from drf_model_pusher.channels import is_valid_name
from drf_model_pusher.exceptions import InvalidUserError

#: https://pusher.com/docs/channels/library_auth_reference/auth-signatures/
MAX_USER_ID_LENGTH = 128


def user_id(user: Any) -> str:
    """Return the id that Pusher knows a user by: the primary key, as text.

    Raises:
        InvalidUserError: The primary key cannot stand in the name of the user's own channel.
    """
    text = str(user.pk)
    if user.pk is None or not is_valid_name(text) or len(text) > MAX_USER_ID_LENGTH:
        raise InvalidUserError(
            f"The primary key {text[:40]!r} of a {type(user).__name__} is no user id for Pusher: "
            f"that has 1 to {MAX_USER_ID_LENGTH} of the letters a-z and A-Z, digits and -_=@,.;"
        )
    return text


def display_name(user: Any) -> str:
    """Return the full name of a user, or the user name where there is none."""
    full_name = user.get_full_name() if hasattr(user, "get_full_name") else ""
    return full_name or user.get_username()
