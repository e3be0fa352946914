"""Who is told of the ends of runs, and every attempt at it."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from difyproj.tiers.admin import NOTHING
from difyproj.tiers.admin_records import BY_APP, BY_TENANT, Record, link
from workflows.models import CallbackDelivery


@admin.register(CallbackDelivery)
class CallbackDeliveryAdmin(Record):
    empty_text = "When a caller gives a run a callback address, what becomes of telling it appears here."
    list_display = ("receiver", "app", "tenant", "status", "attempts", "created_at", "delivered_at")
    list_filter = (BY_TENANT, BY_APP, ("status", ChoicesDropdownFilter))
    search_fields = ("app__name",)
    search_help_text = "App or any id"
    id_fields = ("pk", "run_id", "app_id")
    related = ("tenant", "app", "run")
    fieldsets = (
        (None, {"fields": (("app", "tenant"), ("receiver", "status"), "shown_run")}),
        ("Attempts", {"fields": (("attempts", "delivered_at"), "shown_log")}),
        ("Identity", {"fields": (("id", "created_at"),)}),
    )

    @display(description="Receiver")
    def receiver(self, obj: CallbackDelivery) -> str:
        """Without the query, which may hold a key."""
        parts = urlsplit(obj.url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"

    @display(description="Run")
    def shown_run(self, obj: CallbackDelivery) -> str:
        return link(obj.run, str(obj.run_id))

    @display(description="Log")
    def shown_log(self, obj: CallbackDelivery) -> str:
        lines = format_html_join("", "<li>{}: {} after {} s. {}</li>", map(_line, obj.log))
        return format_html("<ol>{}</ol>", lines) if obj.log else NOTHING


def _line(attempt: dict[str, object]) -> tuple[object, ...]:
    return attempt.get("at"), attempt.get("status") or "no answer", attempt.get("seconds"), attempt.get("error") or ""
