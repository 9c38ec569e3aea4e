"""The tables: events, who relays them, and whose turn it is with which of them."""

from __future__ import annotations

from django.db import models

#: Into how many parts events are divided; each has one owner at a time. It must not change while
#: events wait: those of one object would be in two of them.
PARTITIONS = 256


class OutboxEvent(models.Model):
    """An event that was committed with the change that it tells of.

    What is in here for its own sake, and not for the event's, is described; the other fields are
    those of :class:`~drf_model_pusher.events.PusherEvent`.
    """

    class State(models.IntegerChoices):
        """What a relay does with it."""

        WAITING = 0, "waiting"
        """It is sent as soon as possible."""
        POSTPONED = 1, "postponed"
        """It failed, or one of the same object before it did; it waits for its time."""
        DEAD = 2, "dead"
        """It failed too often, and is kept for somebody to look at."""
        SENT = 3, "sent"
        """It has left, and is kept for a while."""

    id = models.BigAutoField(primary_key=True)
    partition = models.PositiveSmallIntegerField()
    """A number below ``PARTITIONS``, the same for all events of one object."""
    state = models.PositiveSmallIntegerField(choices=State.choices, db_default=State.WAITING)
    due = models.DateTimeField(null=True, editable=False)
    """When a postponed event is tried again, or a sent one deleted."""
    created = models.DateTimeField()
    attempts = models.PositiveIntegerField(db_default=0)
    """How often it was tried in vain."""
    refusals = models.PositiveIntegerField(db_default=0)
    """How many of those were its own fault; so many make it dead."""
    error = models.CharField(max_length=200, db_default="", blank=True)
    """Why the last try failed; never with the payload."""

    subject = models.TextField(null=True)  # noqa: DJ001 - None is an event about no object
    channels = models.TextField()
    """JSON, a list."""
    name = models.CharField(max_length=200)
    data = models.TextField()
    socket_id = models.CharField(max_length=70, null=True)  # noqa: DJ001 - None is nobody
    change = models.CharField(max_length=10, null=True)  # noqa: DJ001 - None is a verb of one's own
    conflation_key = models.TextField(null=True)  # noqa: DJ001 - None is never conflated
    provider = models.CharField(max_length=255, db_default="", blank=True)
    """Module and class with a colon between them; empty for the provider of the settings."""
    unsure = models.BooleanField(db_default=False)

    class Meta:
        verbose_name = "event"
        default_permissions = ("view", "delete")
        permissions = (("retry_outboxevent", "Can retry event"),)
        indexes = (
            # What a relay looks for: the oldest of a state in its partitions.
            models.Index(fields=["state", "partition", "id"], name="pusher_outbox_turn"),
            models.Index(fields=["state", "due"], name="pusher_outbox_due"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"


class OutboxWorker(models.Model):
    """A relay's worker while it lives: without its row it owns nothing.

    A row that has expired may be deleted by any other worker, and never comes back: a worker that
    was thought dead begins again under a new id.
    """

    id = models.CharField(max_length=32, primary_key=True)
    name = models.CharField(max_length=200)
    """Host and process, for people."""
    expires = models.DateTimeField()
    """By the clock of the database."""
    sent_per_minute = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class OutboxPartition(models.Model):
    """Whose turn it is: the owner's, if there is a worker of that id, and else nobody's."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    owner = models.CharField(max_length=32, default="")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.number)
