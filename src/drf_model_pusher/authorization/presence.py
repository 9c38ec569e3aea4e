"""As whom somebody is seen in a presence channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_model_pusher.authorization.refusals import Refused
from drf_model_pusher.exceptions import InvalidUserError
from drf_model_pusher.rendering.encoding import encode_plain
from drf_model_pusher.user_ids import MAX_USER_ID_LENGTH

if TYPE_CHECKING:
    from rest_framework.request import Request

    from drf_model_pusher.rules import ChannelRules

#: Bytes of what the members of a presence channel know of each other.
#: https://pusher.com/docs/channels/using_channels/presence-channels/
MAX_USER_INFO_BYTES = 1_024


def presence_data(backend: ChannelRules, request: Request) -> str:
    """Return the ``channel_data`` of the user of a request, as the text that is signed.

    Raises:
        Refused: There is no user.
        InvalidUserError: Pusher would refuse what the backend tells of the user.
    """
    if not getattr(request.user, "is_authenticated", False):
        raise Refused("a presence channel is for users who are signed in")
    data: Any = backend.get_presence_data(request)
    source = f"{type(backend).__qualname__}.get_presence_data()"
    user_id = data.get("user_id") if isinstance(data, dict) else None
    if not isinstance(user_id, str) or not 0 < len(user_id) <= MAX_USER_ID_LENGTH:
        raise InvalidUserError(
            f"{source} needs a `user_id`: a text of 1 to {MAX_USER_ID_LENGTH} characters."
        )
    text = encode_plain(data)
    if (size := len(text.encode())) > MAX_USER_INFO_BYTES:
        raise InvalidUserError(
            f"{source} has {size:,} bytes of JSON; Pusher allows {MAX_USER_INFO_BYTES:,}: "
            "tell less of each user."
        )
    return text
