"""The outbox in Django's admin: to look at, to try again, to discard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from drf_model_pusher.outbox import by_hand
from drf_model_pusher.outbox.health import measure
from drf_model_pusher.outbox.models import OutboxEvent

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[OutboxEvent]
else:
    _Admin = admin.ModelAdmin


@admin.register(OutboxEvent)
class OutboxEventAdmin(_Admin):
    """Nothing is added or changed by hand: an event is what was committed."""

    list_display = ("id", "name", "shown_channels", "state", "age", "attempts", "error")
    list_filter = ("state",)
    search_fields = ("name", "subject", "channels")
    ordering = ("id",)
    show_full_result_count = False
    actions = ("retry", "delete_selected")

    @admin.display(description="channels")
    def shown_channels(self, event: OutboxEvent) -> str:
        """Return the names of the channels, of many the first few."""
        names = json.loads(event.channels)
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

    @admin.display(ordering="-created")
    def age(self, event: OutboxEvent) -> str:
        """Return how long ago it was committed."""
        return in_words((timezone.now() - event.created).total_seconds())

    @admin.action(description="Retry the selected events now", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> None:
        """Let events that were put off or set aside be tried again."""
        count = by_hand.retry(queryset.db, list(queryset.values_list("id", flat=True)))
        self.message_user(request, f"{count} events are tried again.", messages.SUCCESS)

    @admin.action(description="Discard the selected events", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> None:
        """Delete events that have not left; it stands in the place of Django's own action."""
        count = by_hand.discard(queryset.db, list(queryset.values_list("id", flat=True)))
        self.message_user(request, f"{count} events are discarded.", messages.SUCCESS)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list with a line about the whole outbox."""
        numbers = measure(self.get_queryset(request).db)
        line = (
            f"{numbers.waiting:,} waiting, {numbers.postponed:,} postponed, {numbers.dead:,} dead; "
            f"oldest {in_words(numbers.oldest_seconds)}; {numbers.sent_per_minute:,} sent per "
            f"minute by {numbers.workers} workers"
        )
        return super().changelist_view(request, {"subtitle": line, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Say no: events come from changes."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: OutboxEvent | None = None) -> bool:
        """Say no: an event is what was committed."""
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Say whether events may be tried again."""
        return request.user.has_perm("drf_model_pusher_outbox.retry_outboxevent")


def in_words(seconds: float) -> str:
    """Return a time in its largest unit."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
