"""What a backend declares about its channels: their names, who may listen, and as whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from drf_model_pusher.channel_templates import ChannelTemplate
from drf_model_pusher.channels import ChannelKind, full_name, is_cache_channel
from drf_model_pusher.user_ids import display_name, user_id

if TYPE_CHECKING:
    from django.db.models import Model
    from rest_framework.generics import GenericAPIView
    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer


class ChannelRules:
    """The part of a backend that authorization asks.

    Nobody may subscribe to a channel for which there is no rule. Where several are declared, each
    must allow it.
    """

    # For subclasses

    channels: Sequence[str] | None = None
    """Templates such as ``orders.{pk}``; the view's ``get_pusher_channels()`` where None."""

    channel_prefix: ClassVar[str] = ""
    """What every channel name begins with; it is added where it is missing."""

    cache: ClassVar[bool] = False
    """Whether those who subscribe later are given the last event, for up to 30 minutes."""

    view_class: type[GenericAPIView[Any]] | None = None
    """Whoever may GET an object, or a list, from this view may subscribe to its channel.

    It is a view of the backend's model, or of one that a foreign key in the templates leads to.
    """

    view_name: str | None = None
    """The name of the route to the view that decides, such as ``order-detail``.

    For a function, for one of several routes to ``view_class``, or for a URL that is "my own".
    """

    permission_classes: Sequence[Any] | None = None
    """DRF permissions, asked as a read-only viewset of all objects would ask them."""

    lists_queryset: ClassVar[bool] = False
    """Whether a ``list()`` of the view's own shows all that its filtered queryset holds."""

    user_info_serializer_class: type[BaseSerializer[Any]] | None = None
    """What members of a presence channel know of each other, rendered from the user."""

    def match_channel(self, name: str) -> Mapping[str, Any] | None:
        """Return the fields of a full channel name that this backend answers for, or None.

        Backends with templates need not define it. The keys are look-ups on the backend's model;
        the values are texts, or whatever an object's own would be equal to: a number, a UUID.
        """
        return next(iter(self._template_readings(name)), None)

    def has_channel_permission(self, request: Request, channel: str, **fields: Any) -> bool:
        """Say whether the user of the request may subscribe; a rule once a subclass defines it."""
        return False

    def get_view_kwargs(self, **fields: Any) -> dict[str, Any]:
        """Return what the URL of the view holds besides its own look-up, by name."""
        return {}

    def get_presence_data(self, request: Request) -> dict[str, Any]:
        """Return ``user_id`` and ``user_info``, which all members of a presence channel see."""
        if self.user_info_serializer_class is not None:
            context = {"request": request}
            info = self.user_info_serializer_class(request.user, context=context).data
        else:
            info = {"name": display_name(request.user)}
        return {"user_id": user_id(request.user), "user_info": info}

    # You should not need to override

    model: ClassVar[type[Model]]

    def templates(self) -> Sequence[ChannelTemplate]:
        """Return the templates of the full names."""
        # One text is one name, as in what a view returns.
        texts = (self.channels,) if isinstance(self.channels, str) else tuple(self.channels or ())
        return _templates(texts, self.channel_prefix, self.cache)

    def full_name(self, name: str) -> str:
        """Return a name with the prefix and the infix that it may lack."""
        return full_name(name, self.channel_prefix, cache=self.cache)

    def readings(self, name: str) -> list[Mapping[str, Any]]:
        """Return every way in which this backend can understand a channel name."""
        if self.matches_by_itself():
            # Another kind of channel has another way to be joined, and is not this backend's.
            kind, cached = ChannelKind.of(name).value, is_cache_channel(name)
            fields = self.match_channel(name) if (kind, cached) == self._kind() else None
            return [] if fields is None else [fields]
        return self._template_readings(name)

    def matches_by_itself(self) -> bool:
        """Say whether the project's own code understands names, and not the templates."""
        return type(self).match_channel is not ChannelRules.match_channel

    def permits_by_itself(self) -> bool:
        """Say whether the project's own code is one of the rules."""
        return type(self).has_channel_permission is not ChannelRules.has_channel_permission

    def _kind(self) -> tuple[str, bool]:
        return self.channel_prefix, self.cache

    def _template_readings(self, name: str) -> list[Mapping[str, Any]]:
        found = (template.match(name) for template in self.templates())
        return [fields for fields in found if fields is not None]


@lru_cache(maxsize=1_000)
def _templates(texts: tuple[str, ...], prefix: str, cache: bool) -> Sequence[ChannelTemplate]:
    return [ChannelTemplate(full_name(text, prefix, cache=cache)) for text in texts]
