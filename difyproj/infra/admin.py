"""The admin of the infrastructure: what runs, what was noted, what is remembered. Nothing here is changed by hand."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from difyproj.infra import leases
from difyproj.infra.models import AuditEntry, CacheVersion, IdempotencyKey, Process
from difyproj.kernel import clock
from difyproj.tiers.admin import ReadOnlyAdmin, document

STATE_COLOURS = {"alive": "success", "silent": "danger", "ended": "info", "taken over": "warning", "done": "success"}


@admin.register(Process)
class ProcessAdmin(ReadOnlyAdmin):
    empty_text = "A serving process writes its heartbeat here every few seconds. None serves now."
    list_display = ("role", "host", "pid", "state", "last_heard", "version", "started_at")
    search_fields = ("host", "role")
    search_help_text = "Host or role"
    fieldsets = (
        (None, {"fields": (("role", "version"), ("host", "pid"), ("state", "last_heard"))}),
        ("Times", {"fields": (("started_at", "heartbeat_at"), "stopped_at")}),
        ("Takeover", {"fields": (("claimed_by", "claimed_at"),)}),
        ("Identity", {"fields": ("id",)}),
    )

    @display(description="State", label=STATE_COLOURS)
    def state(self, obj: Process) -> str:
        if obj.claimed_at is not None:
            return "taken over"
        if obj.stopped_at is not None:
            return "ended"
        return "silent" if _silence(obj) > timedelta(seconds=leases.DEAD_SECONDS) else "alive"

    @display(description="Last heartbeat", ordering="heartbeat_at")
    def last_heard(self, obj: Process) -> str:
        return f"{max(0, round(_silence(obj).total_seconds()))} s ago"


def _silence(process: Process) -> timedelta:
    return clock.now() - process.heartbeat_at


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    empty_text = "Who changed what is noted here. Entries are only ever added."
    list_display = ("created_at", "action", "target_kind", "target_id", "actor_kind", "actor_id", "ip")
    search_fields = ("action", "target_kind", "target_id", "request_id")
    search_help_text = "Action, target or request id"
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": ("action", ("target_kind", "target_id"), ("actor_kind", "actor_id"))}),
        ("Change", {"fields": ("shown_before", "shown_after")}),
        ("Request", {"fields": (("ip", "request_id"), ("tenant_id", "created_at"))}),
    )

    @display(description="Before")
    def shown_before(self, obj: AuditEntry) -> str:
        return document(obj.before)

    @display(description="After")
    def shown_after(self, obj: AuditEntry) -> str:
        return document(obj.after)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """The answers that are kept with the keys may hold anything, so they are not shown."""

    empty_text = "Requests that carried an Idempotency-Key are remembered here, so that sending them again is safe."
    list_display = ("key", "scope", "shown_state", "response_status", "run_id", "created_at")
    list_filter = (("state", ChoicesDropdownFilter),)
    list_filter_submit = True
    search_fields = ("key", "scope")
    search_help_text = "Key or scope"
    date_hierarchy = "created_at"
    fields = ("key", "scope", "tenant_id", "shown_state", "response_status", "run_id", "created_at", "locked_until")

    @display(description="State", ordering="state", label=STATE_COLOURS)
    def shown_state(self, obj: IdempotencyKey) -> str:
        return obj.state


@admin.register(CacheVersion)
class CacheVersionAdmin(ReadOnlyAdmin):
    empty_text = "Counts how often remembered rows were dropped, once something was changed."
    list_display = ("namespace", "version")
    ordering = ("namespace",)
