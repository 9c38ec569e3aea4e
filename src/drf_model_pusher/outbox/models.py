"""The tables: what is committed and has not left, and the rows that relays lock."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

#: Into how many parts objects are divided; one relay at a time works on each. It must not change
#: while rows wait: those of one object would be in two parts.
PARTITIONS = 256


class OutboxRow(models.Model):
    """What was committed with a change, and leaves after it."""

    class State(models.IntegerChoices):
        """What a relay does with it."""

        WAITING = 0, "waiting"
        """It is sent as soon as it is due, and what stands before it has left."""
        DEAD = 1, "dead"
        """It failed too often, and is kept for somebody to look at."""
        SENT = 2, "sent"
        """It has left, and is kept for a while."""

    id = models.BigAutoField(primary_key=True)
    lane = models.BigIntegerField()
    """The same for all rows of one object and provider: they leave in the order of their ids."""
    partition = models.PositiveSmallIntegerField()
    """A number below ``PARTITIONS``, the same for all rows of a lane."""
    state = models.PositiveSmallIntegerField(choices=State.choices, default=State.WAITING)
    due = models.DateTimeField(null=True, editable=False)
    """When a row that failed is tried again, or a sent one deleted; by the database's clock."""
    created = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    """How often it was tried in vain."""
    refusals = models.PositiveIntegerField(default=0)
    """How many of those were its own fault; so many make it dead."""
    error = models.CharField(max_length=200, default="", blank=True)
    """Why the last try failed; never with the payload."""

    name = models.CharField(max_length=200)
    """The event, or the change, for people."""
    subject = models.TextField(blank=True)
    """The object, or the first channel, for people."""
    provider = models.CharField(max_length=255, default="", blank=True)
    """The dotted path of who carries it; empty for the provider of the settings."""
    content = models.TextField()
    """JSON; see ``rows``."""

    class Meta:
        default_permissions = ("view", "delete")
        permissions = (("retry_outboxrow", "Can retry outbox row"),)
        indexes = (
            # The oldest of a state in a partition.
            models.Index(fields=["state", "partition", "id"], name="pusher_outbox_turn"),
            # Whether one of the same lane is put off.
            models.Index(fields=["lane", "due"], name="pusher_outbox_lane"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"


class OutboxPartition(models.Model):
    """A part of all objects; it belongs to the relay that holds the lock on this row."""

    number = models.PositiveSmallIntegerField(primary_key=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.number)
