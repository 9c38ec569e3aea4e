"""Backends: how a change of one model becomes an event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drf_model_pusher.async_code import in_sync_thread, refuse_in_async_code
from drf_model_pusher.changes.recording import record_change, record_many
from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.declarations import BackendDeclaration


class PusherBackend(BackendDeclaration):
    """Turns changes of a model into events on public channels.

    Declaring a subclass registers it for the model of its ``serializer_class`` or of its
    ``Meta.model``. With ``abstract = True`` in its own ``Meta`` it is a base for others instead::

        class OrderPusherBackend(PusherBackend):
            serializer_class = OrderSerializer
            channels = ["orders.{pk}"]
    """

    class Meta:
        abstract = True

    def push_change(
        self,
        event: str,
        instance: Any = None,
        pre_destroy: bool = False,
        ignore: bool = True,
    ) -> None:
        """Push a change of an instance once the current transaction is committed.

        The row is read then, and rendered as it is. A deletion, an object that was not saved, and
        what only the view can tell are rendered now. Outside a transaction the event leaves at
        once, so a change with ``pre_destroy`` and the deletion that follows belong into one
        ``transaction.atomic()``.

        Args:
            event: ``create``, ``update``, ``delete`` or a verb of your own.
            instance: The changed object.
            pre_destroy: Whether the object is about to be deleted; it is still there.
            ignore: Whether to leave out the connection whose id the request carries.
        """
        refuse_in_async_code()
        record_change(self, event, instance, pre_destroy=pre_destroy, ignore=ignore)

    def push_many(self, event: str, instances: Iterable[Any], *, ignore: bool = True) -> None:
        """Push the same change of many objects once the current transaction is committed.

        They are read then, in batches through ``get_queryset()``, and rendered once each; more than
        ``bulk_limit`` become one ``<model>.invalidate`` for each channel. A deletion is rendered
        now, while the objects are there.

        Args:
            event: ``create``, ``update``, ``delete`` or a verb of your own.
            instances: Objects, their primary keys, or a queryset; to be deleted, objects or a
                queryset.
            ignore: Whether to leave out the connection whose id the request carries.
        """
        refuse_in_async_code()
        record_many(self, event, instances, ignore=ignore)

    async def apush_change(
        self,
        event: str,
        instance: Any = None,
        pre_destroy: bool = False,
        ignore: bool = True,
    ) -> None:
        """Await ``push_change()``, which runs where Django's async ORM does."""
        await in_sync_thread(
            self.push_change, event, instance, pre_destroy=pre_destroy, ignore=ignore
        )

    async def apush_many(
        self, event: str, instances: Iterable[Any], *, ignore: bool = True
    ) -> None:
        """Await ``push_many()``."""
        await in_sync_thread(self.push_many, event, instances, ignore=ignore)


class PrivatePusherBackend(PusherBackend):
    """Events on ``private-`` channels, which only authorized connections may join."""

    channel_prefix = ChannelKind.PRIVATE.value

    class Meta:
        abstract = True


class EncryptedPusherBackend(PusherBackend):
    """Events on ``private-encrypted-`` channels, which neither Pusher nor its network can read.

    Names of channels and events are not encrypted.
    """

    channel_prefix = ChannelKind.ENCRYPTED.value

    class Meta:
        abstract = True


class PresencePusherBackend(PusherBackend):
    """Events on ``presence-`` channels, whose members also see who else is there."""

    channel_prefix = ChannelKind.PRESENCE.value

    class Meta:
        abstract = True
