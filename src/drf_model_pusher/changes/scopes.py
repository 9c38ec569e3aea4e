"""What a view changes by itself in a ``perform_…()``, and what observers see of it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import DEFAULT_DB_ALIAS, models, router

from drf_model_pusher.changes.moments import Moment

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend


@dataclass(slots=True, eq=False)
class Waiting:
    """A push of an object that may turn out to be the view's own."""

    backend: type[PusherBackend]
    event: str
    key: Any
    moment: Moment
    push: Callable[[], None]


@dataclass(slots=True, eq=False)
class Scope:
    """What a ``perform_…()`` changes."""

    known: bool
    """Whether the objects are known from the beginning; those that it creates are not."""

    result: Callable[[], Any]
    """What returns the objects once they are known."""

    own: set[Any] = field(default_factory=set)
    """The objects that the view pushes."""

    waiting: list[Waiting] = field(default_factory=list)
    """Objects saved meanwhile, in the order of their saves."""

    waited: set[Any] = field(default_factory=set)
    """The keys of all that ever waited."""

    def find_own(self) -> None:
        """Learn what the view pushes."""
        self.own.update(map(key_of, self.result()))

    def is_own(self, key: Any) -> bool:
        """Say whether the view pushes an object, as far as that is known by now."""
        if key in self.own:
            return True
        result = self.result()
        # One that is not read yet must not be now: it would stay as it was before the update.
        if not (isinstance(result, models.QuerySet) and result._result_cache is None):
            self.own.update(map(key_of, result))
        return key in self.own

    def add(self, waiting: Waiting) -> None:
        """Let a push wait."""
        self.waiting.append(waiting)
        self.waited.add(waiting.key)

    def push(self, waiting: Iterable[Waiting]) -> None:
        """Push what holds, and is not the view's own."""
        for each in waiting:
            if each.key not in self.own and each.moment.holds():
                each.push()

    def push_before(self, key: Any) -> None:
        """Push what was saved before an object that the view is about to push."""
        if key not in self.waited:
            return
        for place, each in enumerate(self.waiting):
            if each.key == key:
                earlier, self.waiting = self.waiting[:place], self.waiting[place:]
                self.push(earlier)
                return

    def push_now(self, keys: Collection[Any]) -> None:
        """Push what waits of some objects."""
        due = [each for each in self.waiting if each.key in keys]
        self.waiting = [each for each in self.waiting if each.key not in keys]
        self.push(due)

    def forget(self, backend: type[PusherBackend], event: str, key: Any) -> None:
        """Forget a push that somebody else does."""
        if key not in self.waited:
            return
        for each in self.waiting:
            if (each.backend, each.event, each.key) == (backend, event, key):
                self.waiting.remove(each)
                return


def key_of(instance: Any) -> Any:
    """Return what an object is known by here; the object itself if it is none of a model."""
    if not isinstance(instance, models.Model):
        return id(instance)
    return instance._meta.concrete_model, instance.pk, alias_of(instance)


def alias_of(instance: Any) -> str:
    """Return the database that an object is written to."""
    if not isinstance(instance, models.Model):
        return DEFAULT_DB_ALIAS
    return router.db_for_write(type(instance), instance=instance)
