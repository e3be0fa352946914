"""What is going on: runs, which an operator may stop, and the people and files behind them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps import generation
from apps.models import Conversation, EndUser, Message, Run, RunStatus, UploadFile
from difyproj.kernel import clock
from difyproj.tiers.admin import NOTHING, as_written
from difyproj.tiers.admin_records import BY_APP, BY_TENANT, Record, TierFilter, link, links, list_address, seconds

STATUS_COLOURS = {
    RunStatus.RUNNING: "info",
    RunStatus.SUCCEEDED: "success",
    RunStatus.FAILED: "danger",
    RunStatus.STOPPED: "warning",
    RunStatus.PARTIAL_SUCCEEDED: "warning",
    RunStatus.PAUSED: "info",
}


@admin.register(Run)
class RunAdmin(Record):
    empty_text = "Each generation appears here as soon as it begins. None has begun yet."
    list_display = ("short_id", "app", "mode", "shown_status", "tier", "end_user", "total_tokens", "took", "created_at")
    list_filter = (BY_TENANT, BY_APP, ("status", ChoicesDropdownFilter), TierFilter)
    search_fields = ("trace_id", "error_code", "end_user__session_id")
    search_help_text = "Trace, error code, user or any id"
    id_fields = ("pk", "process_id", "app_id", "end_user_id")
    related = ("tenant", "app", "end_user", "message")
    date_hierarchy = "created_at"
    actions = ("stop",)
    fieldsets = (
        (None, {"fields": (("status", "took"), ("error_code", "error_status"), "shown_error", "shown_message")}),
        ("Details", {"fields": (("app", "tenant"), ("mode", "tier"), ("end_user", "total_tokens"))}),
        ("Execution", {"fields": (("process_id", "trace_id"), ("last_event_id", "reserved_event_id"))}),
        ("Identity", {"fields": ("id", ("created_at", "finished_at"))}),
    )

    @display(description="Run", ordering="id")
    def short_id(self, obj: Run) -> str:
        return str(obj.pk)[:8]

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, obj: Run) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description="Took", ordering="elapsed_time")
    def took(self, obj: Run) -> str:
        if obj.status == RunStatus.RUNNING:
            return f"{seconds((clock.now() - obj.created_at).total_seconds())} so far"
        return seconds(obj.elapsed_time)

    @display(description="Error")
    def shown_error(self, obj: Run) -> str:
        return as_written(obj.error)

    @display(description="Message")
    def shown_message(self, obj: Run) -> str:
        return link(obj.message) if hasattr(obj, "message") else NOTHING

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("apps.change_run")

    @admin.action(description="Stop", permissions=["stop"])
    def stop(self, request: HttpRequest, chosen: QuerySet[Run]) -> None:
        told = generation.stop_all(list(chosen.values_list("pk", flat=True)))
        if told:
            self.message_user(request, f"Told to stop: {told}. What was answered so far is kept.", messages.SUCCESS)
        else:
            self.message_user(request, "None of these was running.", messages.WARNING)


@admin.register(EndUser)
class EndUserAdmin(Record):
    empty_text = "The people behind an integrator's user names appear here with their first request."
    list_display = ("session_id", "type", "app", "tenant", "is_anonymous", "created_at")
    list_filter = (BY_TENANT, BY_APP, "is_anonymous")
    search_fields = ("session_id", "external_user_id", "name")
    search_help_text = "User, name or any id"
    id_fields = ("pk", "app_id")
    related = ("tenant", "app")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fieldsets = (
        (None, {"fields": (("session_id", "name"), ("external_user_id", "is_anonymous"), "leads_to")}),
        ("Details", {"fields": (("app", "tenant"), "type")}),
        ("Identity", {"fields": ("id", ("created_at", "updated_at"))}),
    )

    @display(description="See their")
    def leads_to(self, obj: EndUser) -> str:
        names: dict[str, Any] = {"conversations": Conversation, "messages": Message, "runs": Run, "files": UploadFile}
        return links((list_address(model, q=obj.pk), name) for name, model in names.items())


@admin.register(UploadFile)
class UploadFileAdmin(Record):
    empty_text = "Files that people hand in with their questions appear here."
    list_display = ("name", "mime_type", "shown_size", "app", "end_user", "created_at")
    list_filter = (BY_TENANT, BY_APP)
    search_fields = ("name", "mime_type")
    search_help_text = "Name, type or any id"
    id_fields = ("pk", "app_id", "end_user_id")
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": (("name", "shown_size"), ("mime_type", "extension"))}),
        ("Details", {"fields": (("app", "tenant"), ("end_user", "account_id", "created_by_role"))}),
        ("Storage", {"fields": ("key", "hash", "preview_state", "preview_key")}),
        ("Identity", {"fields": ("id", "created_at")}),
    )

    @display(description="Size", ordering="size")
    def shown_size(self, obj: UploadFile) -> str:
        return filesizeformat(obj.size)
