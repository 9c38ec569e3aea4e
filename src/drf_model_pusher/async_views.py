"""The hooks of adrf's async views, and pushes to await. No line of it needs adrf."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from drf_model_pusher.async_code import in_sync_thread

if TYPE_CHECKING:
    from rest_framework.serializers import BaseSerializer

    class _View:
        """What adrf's views have."""

        def perform_acreate(self, serializer: Any) -> Awaitable[None]: ...
        def perform_aupdate(self, serializer: Any) -> Awaitable[None]: ...
        def perform_adestroy(self, instance: Any) -> Awaitable[None]: ...
else:
    _View = object


class AsyncPusherViewMixin(_View):
    """The async part of ``ModelPusherViewMixin``.

    None of these is an ``async def``: adrf takes a viewset that has one for async, whatever its
    actions are.
    """

    def apush_changes(
        self, event: str = "update", instance: Any = None, pre_destroy: bool = False
    ) -> Awaitable[None]:
        """Await ``push_changes()``."""
        return in_sync_thread(self.push_changes, event, instance, pre_destroy=pre_destroy)

    def apush_change(
        self, event: str, instance: Any = None, pre_destroy: bool = False, ignore: bool = True
    ) -> Awaitable[None]:
        """Await ``push_change()``."""
        return in_sync_thread(
            self.push_change, event, instance, pre_destroy=pre_destroy, ignore=ignore
        )

    def apush_many(
        self, event: str, instances: Iterable[Any], *, ignore: bool = True
    ) -> Awaitable[None]:
        """Await ``push_many()``."""
        return in_sync_thread(self.push_many, event, instances, ignore=ignore)

    def apush(
        self,
        channels: str | Sequence[str],
        event_name: str,
        data: Any,
        *,
        ignore: bool = True,
        using: str | None = None,
    ) -> Awaitable[None]:
        """Await ``push()``."""
        return in_sync_thread(self.push, channels, event_name, data, ignore=ignore, using=using)

    def perform_acreate(self, serializer: BaseSerializer[Any]) -> Awaitable[None]:
        """Create, then push."""
        return super().perform_acreate(serializer)

    def perform_aupdate(self, serializer: BaseSerializer[Any]) -> Awaitable[None]:
        """Update, then push, as ``perform_update()`` does."""
        return super().perform_aupdate(serializer)

    def perform_adestroy(self, instance: Any) -> Awaitable[None]:
        """Render, delete, then push what was rendered."""
        return super().perform_adestroy(instance)

    if TYPE_CHECKING:  # of ModelPusherViewMixin
        push: Callable[..., None]
        push_change: Callable[..., None]
        push_changes: Callable[..., None]
        push_many: Callable[..., None]
