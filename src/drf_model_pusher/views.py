"""The mixin that makes a view push."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db import models

from drf_model_pusher.async_code import refuse_in_async_code
from drf_model_pusher.async_views import AsyncPusherViewMixin
from drf_model_pusher.authorization.views import AuthorizationView, UserAuthenticationView
from drf_model_pusher.changes import current_view
from drf_model_pusher.changes.failures import log_no_backend, reported
from drf_model_pusher.changes.recording import record_event
from drf_model_pusher.channels import as_names
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.performing import MANY, Performing, is_disabled, put_around
from drf_model_pusher.pushing import writer_socket_id
from drf_model_pusher.registry import registry, same_model
from drf_model_pusher.suppressing import is_suppressed
from drf_model_pusher.webhooks.views import ChannelExistenceWebhook

if TYPE_CHECKING:
    from rest_framework.serializers import BaseSerializer
    from rest_framework.viewsets import ModelViewSet

    from drf_model_pusher.backends import PusherBackend

    # What the mixin is mixed into: for type checkers only.
    _View = ModelViewSet[Any]
else:
    _View = object


__all__ = [
    "AuthorizationView",
    "ChannelExistenceWebhook",
    "ModelPusherViewMixin",
    "UserAuthenticationView",
]


class ModelPusherViewMixin(AsyncPusherViewMixin, _View):
    """Pushes what a generic view or viewset creates, updates and deletes, adrf's async ones too.

    It stands before the view's other bases:
    ``class OrderViewSet(ModelPusherViewMixin, ModelViewSet)``.
    """

    PUSH_CREATE = "create"
    PUSH_UPDATE = "update"
    PUSH_DELETE = "delete"

    # For subclasses; the three flags are also arguments of as_view()

    push_creations: bool = True
    push_updates: bool = True
    push_deletions: bool = True

    def get_pusher_channels(self) -> Sequence[str]:
        """Return the channels of backends that name none of their own."""
        raise DeclarationError(
            f"{type(self).__qualname__} has no channels to push to: define its "
            "`get_pusher_channels()`, or set `channels` on the backend."
        )

    # You should not need to override

    def get_pusher_backends(self, model: type[models.Model] | None = None) -> list[PusherBackend]:
        """Return a backend for each one declared for the model, by default this view's.

        A view of a base model pushes its children through the base's backends as well.
        """
        shown = self.get_pusher_model()
        model = model or shown
        if model is None:
            return []
        found = list(registry.backends_for(model))
        if shown and issubclass(model, shown) and not same_model(model, shown):
            found += [each for each in registry.backends_for(shown) if each not in found]
        return [backend(view=self) for backend in found]

    def get_pusher_model(self) -> type[models.Model] | None:
        """Return the model of the view, asking first what needs no query; None if it has none."""
        queryset = getattr(self, "queryset", None)
        if queryset is not None:
            model: type[models.Model] | None = queryset.model
            return model
        serializer_meta = getattr(getattr(self, "serializer_class", None), "Meta", None)
        model = getattr(serializer_meta, "model", None)
        if model is None and hasattr(self, "get_queryset"):
            # DRF asserts that there is a queryset; a view that only creates may have none.
            with suppress(AssertionError):
                model = getattr(self.get_queryset(), "model", None)
        return model

    def push_changes(
        self, event: str = PUSH_UPDATE, instance: Any = None, pre_destroy: bool = False
    ) -> None:
        """Push a change of one instance, or the same change of each in a list or queryset."""
        if not isinstance(instance, MANY):
            self.push_change(event, instance, pre_destroy=pre_destroy)
            return
        for each in instance:
            self.push_change(event, each, pre_destroy=pre_destroy)

    def push_change(
        self, event: str, instance: Any = None, pre_destroy: bool = False, ignore: bool = True
    ) -> None:
        """Push a change through every backend of the instance's model, after the commit.

        Args:
            event: ``create``, ``update``, ``delete`` or a verb of your own.
            instance: The changed object; without one, the backends are those of the view's model.
            pre_destroy: Whether the object is about to be deleted.
            ignore: Whether to leave out the connection whose id the request carries.
        """
        if is_disabled():
            return
        model = type(instance) if isinstance(instance, models.Model) else None
        for backend in self._backends_or_log(model):
            if self.performing is not None:
                self.performing.prepare(backend, instance)
            backend.push_change(event, instance, pre_destroy=pre_destroy, ignore=ignore)

    def push_many(self, event: str, instances: Iterable[Any], *, ignore: bool = True) -> None:
        """Push the same change of many objects of one model, read and rendered in batches.

        Args:
            event: ``create``, ``update``, ``delete`` or a verb of your own.
            instances: Objects, or a queryset.
            ignore: Whether to leave out the connection whose id the request carries.
        """
        refuse_in_async_code()
        if is_disabled():
            return
        if isinstance(instances, models.QuerySet):
            model: type[models.Model] | None = instances.model
        else:
            instances = list(instances)
            model = next((type(e) for e in instances if isinstance(e, models.Model)), None)
        for backend in self._backends_or_log(model):
            backend.push_many(event, instances, ignore=ignore)

    def push(
        self,
        channels: str | Sequence[str],
        event_name: str,
        data: Any,
        *,
        ignore: bool = True,
        using: str | None = None,
    ) -> None:
        """Push anything else, after the commit of the current transaction.

        Args:
            channels: Full names, prefixes included.
            event_name: As subscribers will see it.
            data: Anything that a DRF response could carry.
            ignore: Whether to leave out the connection whose id the request carries.
            using: The alias of the database whose transaction decides.
        """
        refuse_in_async_code()
        with reported(None, event_name):
            if app_settings.DRF_MODEL_PUSHER_DISABLED or is_suppressed():
                return
            socket_id = writer_socket_id(self.request) if ignore else None
            names = as_names(channels, self.push)
            record_event(names, event_name, data, socket_id=socket_id, using=using)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Handle the request; what changes meanwhile leaves out the connection it names."""
        return current_view.handle(self, super().dispatch, request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        """Create, then push."""
        super().perform_create(serializer)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Update, then push; to channels that lose or gain the object, that it left or came."""
        super().perform_update(serializer)

    def perform_destroy(self, instance: Any) -> None:
        """Render, delete, then push what was rendered."""
        super().perform_destroy(instance)

    #: The ``perform_…()`` that is at work.
    performing: Performing | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        put_around(cls)

    def _backends_or_log(self, model: type[models.Model] | None) -> list[PusherBackend]:
        backends = self.get_pusher_backends(model)
        if not backends:
            log_no_backend(type(self), model or self.get_pusher_model())
        return backends


put_around(ModelPusherViewMixin)
