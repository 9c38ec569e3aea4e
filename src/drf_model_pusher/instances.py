"""Notes about objects of a model, kept beside them: nothing of ours hangs on the object."""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from weakref import ref

Note = TypeVar("Note")


class InstanceNotes(Generic[Note]):
    """One note for each object, gone with it. Objects that are equal have notes of their own."""

    def __init__(self) -> None:
        self._notes: dict[int, tuple[ref[Any], Note]] = {}

    def get(self, instance: Any) -> Note | None:
        """Return the note of an object, or None."""
        found = self._notes.get(id(instance))
        return None if found is None or found[0]() is not instance else found[1]

    def set(self, instance: Any, note: Note) -> None:
        """Keep a note while the object lives."""
        key = id(instance)
        self._notes[key] = (ref(instance, lambda _: self._notes.pop(key, None)), note)

    def setdefault(self, instance: Any, note: Note) -> Note:
        """Return the note of an object, or keep this one."""
        if (found := self.get(instance)) is not None:
            return found
        self.set(instance, note)
        return note

    def pop(self, instance: Any) -> Note | None:
        """Return the note of an object, and forget it."""
        note = self.get(instance)
        self._notes.pop(id(instance), None)
        return note
