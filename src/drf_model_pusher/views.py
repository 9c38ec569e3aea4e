"""The mixin that makes a view push."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from django.db import models, router, transaction

from drf_model_pusher.async_code import refuse_in_async_code
from drf_model_pusher.async_views import AsyncPusherViewMixin
from drf_model_pusher.authorization.views import AuthorizationView, UserAuthenticationView
from drf_model_pusher.changes import handling
from drf_model_pusher.changes.remembering import Memory
from drf_model_pusher.channels import as_names
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import get_delivery, held_back
from drf_model_pusher.exceptions import DeclarationError, SettingError
from drf_model_pusher.occupancy.audience import audience
from drf_model_pusher.pushing import (
    log_missing_app,
    log_wrong_setting,
    make_event,
    push_events,
    writer_socket_id,
    wrong_settings_logged,
)
from drf_model_pusher.registry import registry
from drf_model_pusher.rendering.sharing import is_response_settled
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
        """Return a backend for each one declared for the model, by default this view's."""
        model = model or self.get_pusher_model()
        if model is None:
            return []
        return [backend(view=self) for backend in registry.backends_for(model)]

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
        if not isinstance(instance, _MANY):
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
        try:
            if app_settings.DRF_MODEL_PUSHER_DISABLED:
                return
        except SettingError as error:
            log_wrong_setting(error)
            return
        model = type(instance) if isinstance(instance, models.Model) else None
        backends = self.get_pusher_backends(model)
        if not backends:
            log_missing_app()
        for backend in backends:
            if event == self.PUSH_UPDATE and self._memory is not None:
                self._memory.tell(backend, instance)
            if not backend.observe or handling.tell(backend, event, instance, view=self):
                backend.push_change(event, instance, pre_destroy=pre_destroy, ignore=ignore)

    def push_many(self, event: str, instances: Iterable[Any], *, ignore: bool = True) -> None:
        """Push the same change of many objects of one model, read and rendered in batches.

        Args:
            event: ``create``, ``update``, ``delete`` or a verb of your own.
            instances: Objects, or a queryset.
            ignore: Whether to leave out the connection whose id the request carries.
        """
        refuse_in_async_code()
        with wrong_settings_logged:
            if app_settings.DRF_MODEL_PUSHER_DISABLED:
                return
            if isinstance(instances, models.QuerySet):
                model: type[models.Model] | None = instances.model
            else:
                instances = list(instances)
                model = next((type(e) for e in instances if isinstance(e, models.Model)), None)
            backends = self.get_pusher_backends(model)
            if not backends:
                log_missing_app()
            for backend in backends:
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
        with wrong_settings_logged:
            if app_settings.DRF_MODEL_PUSHER_DISABLED or is_suppressed():
                return
            heard, unsure = audience(as_names(channels, self.push))
            if heard:
                socket_id = writer_socket_id(self.request) if ignore else None
                event = make_event(heard, event_name, data, socket_id=socket_id, unsure=unsure)
                push_events([event], using=using)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Handle the request; what observers see meanwhile leaves out the connection it names."""
        if not handling.needed:
            return super().dispatch(request, *args, **kwargs)
        return handling.handle(self, super().dispatch, request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        """Create, then push."""
        self._create(serializer, super().perform_create)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Update, then push; to channels that lose or gain the object, that it left or came."""
        self._update(serializer, super().perform_update)

    def perform_destroy(self, instance: Any) -> None:
        """Render, delete, then push what was rendered."""
        self._destroy(instance, super().perform_destroy)

    def _create(self, serializer: BaseSerializer[Any], create: Callable[[Any], None]) -> None:
        with self._change(serializer, known=False):
            create(serializer)
            if self.push_creations:
                self._push_saved(self.PUSH_CREATE, serializer)

    def _update(self, serializer: BaseSerializer[Any], update: Callable[[Any], None]) -> None:
        self._remember(serializer.instance)
        with self._change(serializer, known=True):
            update(serializer)
            if self.push_updates:
                _forget_prefetched(serializer.instance)
                self._push_saved(self.PUSH_UPDATE, serializer)

    def _destroy(self, instance: Any, destroy: Callable[[Any], None]) -> None:
        holding = self._held_back(instance) if self.push_deletions else _NOTHING
        with self._transaction(instance), holding:
            if self.push_deletions:
                self.push_changes(self.PUSH_DELETE, instance, pre_destroy=True)
            with handling.own_changes(self, _each(instance), list) if handling.needed else _NOTHING:
                destroy(instance)

    def _change(
        self, serializer: BaseSerializer[Any], *, known: bool
    ) -> AbstractContextManager[Any]:
        """Return what a change is made in, so that observers leave it to the view."""
        in_transaction = self._transaction(serializer.instance if known else None)
        if not handling.needed:
            return in_transaction
        known = known and not isinstance(serializer.instance, models.QuerySet)
        objects = _each(serializer.instance) if known else None
        own = handling.own_changes(self, objects, lambda: _each(serializer.instance))
        return _both(in_transaction, own)

    #: What objects were before the update that is under way.
    _memory: Memory | None = None

    def _remember(self, instance: Any) -> None:
        """Keep in mind what an object is, before it is updated."""
        self._memory = None
        # Reading a queryset now would leave it with what was before the update.
        if not self.push_updates or isinstance(instance, models.QuerySet):
            return
        try:
            if not app_settings.DRF_MODEL_PUSHER_DISABLED:
                self._memory = Memory(_each(instance), self.get_pusher_backends) or None
        except SettingError:
            pass  # which the push logs

    #: The serializer whose data will be the response, while that may be asked of it.
    response_serializer: BaseSerializer[Any] | None = None

    def _push_saved(self, event: str, serializer: BaseSerializer[Any]) -> None:
        """Push what a serializer has saved, with its own rendering where that is the same."""
        if serializer.instance is None:
            return  # it left the saving to somebody else
        if self._memory is not None:
            self._memory.note_saved(serializer)
        if is_response_settled(self, event, ModelPusherViewMixin):
            self.response_serializer = serializer
        try:
            self.push_changes(event, serializer.instance)
        finally:
            self.response_serializer = None

    def _transaction(self, instance: Any = None) -> AbstractContextManager[Any]:
        """Commit a change and its events together, where the delivery writes them down with it."""
        try:
            if not get_delivery().joins_transaction or app_settings.DRF_MODEL_PUSHER_DISABLED:
                return _NOTHING
        except SettingError:  # which the push logs
            return _NOTHING
        model = self.get_pusher_model()
        hints = {"instance": instance} if isinstance(instance, models.Model) else {}
        using = router.db_for_write(model, **hints) if model else None
        if transaction.get_connection(using).in_atomic_block:
            return _NOTHING
        return transaction.atomic(using=using)

    def _held_back(self, instance: Any) -> AbstractContextManager[None]:
        """Keep a deletion's event until the deletion is done; it is pushed before it happens."""
        if any(registry.backends_for(type(each)) for each in _each(instance)):
            return held_back()
        return _NOTHING


_MANY = (list, tuple, models.QuerySet)

_NOTHING = nullcontext()


@contextmanager
def _both(outer: AbstractContextManager[Any], inner: AbstractContextManager[Any]) -> Iterator[None]:
    with outer, inner:
        yield


def _each(instance: Any) -> Iterable[Any]:
    """Return the objects of a change: many, or the one."""
    return instance if isinstance(instance, _MANY) else [instance]


def _forget_prefetched(instance: Any) -> None:
    """Forget relations read before the update, as DRF does before it renders the response."""
    if getattr(instance, "_prefetched_objects_cache", None):
        instance._prefetched_objects_cache = {}
