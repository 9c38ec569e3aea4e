"""Who is present in a channel: distinct users, however many connections each has. Pure."""

from __future__ import annotations

from collections.abc import ItemsView
from dataclasses import dataclass
from typing import Any

from pusher_dev_server import protocol
from pusher_dev_server.application import Limits
from pusher_dev_server.protocol import ProtocolError


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A user as one connection presents itself."""

    user_id: str
    user_info: Any = None


def parse_member(channel_data: str, limits: Limits) -> Member:
    """Return the member that signed ``channel_data`` describes; raise ProtocolError if none."""
    if protocol.size(channel_data) > limits.presence_member_bytes:
        raise ProtocolError(f"channel_data is larger than {limits.presence_member_bytes} bytes")
    value = protocol.decode_object(channel_data, "channel_data")
    user_id = value.get("user_id")
    if isinstance(user_id, (int, float)) and not isinstance(user_id, bool):
        # A number is taken, and becomes the text that JavaScript makes of it as an object's key.
        user_id = protocol.encode(int(user_id) if user_id == int(user_id) else user_id)
    if not isinstance(user_id, str) or not 0 < len(user_id) <= limits.user_id_length:
        raise ProtocolError(
            f"channel_data needs a user_id of 1 to {limits.user_id_length} characters"
        )
    return Member(user_id=user_id, user_info=value.get("user_info"))


def check_member_size(member: Member, limits: Limits) -> None:
    """Raise ProtocolError for a member that no ``channel_data`` describes, if it is too large."""
    described = {"user_id": member.user_id, "user_info": member.user_info}
    if protocol.size(protocol.encode(described)) > limits.presence_member_bytes:
        raise ProtocolError(f"The member is larger than {limits.presence_member_bytes} bytes")


class Members:
    """The members of one presence channel."""

    __slots__ = ("_connections", "_info")

    def __init__(self) -> None:
        self._info: dict[str, Any] = {}
        self._connections: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._info)

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._info

    @property
    def ids(self) -> list[str]:
        """The users, in the order in which they came."""
        return list(self._info)

    def items(self) -> ItemsView[str, Any]:
        """Return the users with what is known of each, in the order in which they came."""
        return self._info.items()

    def join(self, member: Member) -> bool:
        """Count one connection more; say whether it is the user's first."""
        count = self._connections.get(member.user_id, 0)
        self._connections[member.user_id] = count + 1
        self._info.setdefault(member.user_id, member.user_info)
        return count == 0

    def leave(self, user_id: str) -> bool:
        """Count one connection less; say whether it was the user's last."""
        self._connections[user_id] -= 1
        if self._connections[user_id]:
            return False
        del self._connections[user_id], self._info[user_id]
        return True

    def listing(self) -> dict[str, Any]:
        """Return the list that a new subscriber is given."""
        return {"presence": {"ids": self.ids, "hash": self._info, "count": len(self)}}
