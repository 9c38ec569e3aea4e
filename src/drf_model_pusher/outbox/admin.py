"""The outbox in Django's admin: to look at, to try again, to discard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from drf_model_pusher.outbox import admin_actions
from drf_model_pusher.outbox.health import measure
from drf_model_pusher.outbox.models import OutboxRow

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[OutboxRow]
else:
    _Admin = admin.ModelAdmin


@admin.register(OutboxRow)
class OutboxRowAdmin(_Admin):
    """Nothing is added or changed by hand: a row is what was committed."""

    list_display = ("id", "name", "subject", "state", "age", "attempts", "error")
    list_filter = ("state",)
    search_fields = ("name", "subject")
    ordering = ("id",)
    show_full_result_count = False
    actions = ("retry", "delete_selected")

    @admin.display(ordering="-created")
    def age(self, row: OutboxRow) -> str:
        """Return how long ago it was committed."""
        return in_words((timezone.now() - row.created).total_seconds())

    @admin.action(description="Retry the selected rows now", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[OutboxRow]) -> None:
        """Let rows that were put off or are dead be tried again."""
        _log(request, queryset, CHANGE, "Retried.")
        count = admin_actions.retry(queryset.db, list(queryset.values_list("id", flat=True)))
        self.message_user(request, f"{count} rows are tried again.", messages.SUCCESS)

    @admin.action(description="Discard the selected rows", permissions=["delete"])
    def delete_selected(
        self, request: HttpRequest, queryset: QuerySet[OutboxRow]
    ) -> HttpResponse | None:
        """Delete rows that have not left, once that is confirmed; Django's own action asks by row.

        It stands in the place of that, which gives up where there are a thousand.
        """
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": "Discard rows",
                "opts": self.opts,
                "count": queryset.count(),
                "posted": [(name, v) for name, vs in request.POST.lists() for v in vs],
            }
            return TemplateResponse(request, "drf_model_pusher_outbox/discard.html", context)
        _log(request, queryset, DELETION, "Discarded.")
        count = admin_actions.discard(queryset.db, list(queryset.values_list("id", flat=True)))
        self.message_user(request, f"{count} rows are discarded.", messages.SUCCESS)
        return None

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxRow]:
        """Return rows of the database that they are written to, whoever else may be read."""
        return super().get_queryset(request).using(router.db_for_write(OutboxRow))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list with a line about the whole outbox."""
        numbers = measure(self.get_queryset(request).db)
        line = (
            f"{numbers.waiting:,} waiting, {numbers.postponed:,} postponed, {numbers.dead:,} dead; "
            f"oldest {in_words(numbers.oldest_seconds)}"
        )
        return super().changelist_view(request, {"subtitle": line, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: rows come from changes."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: OutboxRow | None = None) -> bool:
        """Refuse: a row is what was committed."""
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether rows may be tried again."""
        return request.user.has_perm("drf_model_pusher_outbox.retry_outboxrow")


def _log(request: HttpRequest, rows: QuerySet[OutboxRow], flag: int, message: str) -> None:
    user: Any = request.user.pk
    LogEntry.objects.log_actions(user, rows.only("id", "name"), flag, change_message=message)


def in_words(seconds: float) -> str:
    """Return a time in its largest unit."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
