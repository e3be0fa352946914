"""The admin of the infrastructure: what runs, what was noted, what is remembered. Jobs can be tried again or cancelled."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from difyproj.infra import jobs, leases
from difyproj.infra.models import AuditEntry, CacheVersion, IdempotencyKey, Job, Process
from difyproj.kernel import clock
from difyproj.tiers.admin import NOTHING, ReadOnlyAdmin, as_written, document

STATE_COLOURS = {"alive": "success", "silent": "danger", "ended": "info", "taken over": "warning", "done": "success"}
JOB_COLOURS = {
    Job.State.WAITING: "info",
    Job.State.RUNNING: "warning",
    Job.State.SUCCEEDED: "success",
    Job.State.FAILED: "danger",
}


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


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    empty_text = "Work that goes on after its request (mail, previews, imports) appears here. Nothing was asked for yet."
    list_display = ("kind", "target_id", "shown_state", "shown_progress", "tries", "short_error", "created_at", "took")
    list_filter = (("state", ChoicesDropdownFilter),)
    list_filter_submit = True
    search_fields = ("kind", "target_id", "id", "tenant_id")
    search_help_text = "Kind, target or any id"
    date_hierarchy = "created_at"
    actions = ("retry", "cancel")
    fieldsets = (
        (None, {"fields": (("kind", "target_id"), ("shown_state", "tries"), "shown_progress", "shown_error", "shown_result")}),
        ("Times", {"fields": (("created_at", "not_before"), ("started_at", "finished_at"), ("delivered_at", "took"))}),
        ("Worker", {"fields": (("process_id", "lease_until"),)}),
        ("Identity", {"fields": ("id", ("tenant_id", "created_by_id"))}),
    )

    @display(description="State", ordering="state", label=JOB_COLOURS)
    def shown_state(self, obj: Job) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description="Attempts", ordering="attempts")
    def tries(self, obj: Job) -> str:
        return f"{obj.attempts} of {obj.max_attempts}" if obj.attempts else NOTHING

    @display(description="Progress")
    def shown_progress(self, obj: Job) -> str:
        if not obj.progress_total:
            return str(obj.progress_done) if obj.progress_done else NOTHING
        return format_html(
            '<progress value="{}" max="{}"></progress> {} of {}',
            *(obj.progress_done, obj.progress_total) * 2,
        )

    @display(description="Error")
    def short_error(self, obj: Job) -> str:
        return obj.error if len(obj.error) <= 60 else f"{obj.error[:60]}…"

    @display(description="Error")
    def shown_error(self, obj: Job) -> str:
        return as_written(obj.error)

    @display(description="Result")
    def shown_result(self, obj: Job) -> str:
        return document(obj.result)

    @display(description="Took")
    def took(self, obj: Job) -> str:
        if obj.started_at is None:
            return NOTHING
        seconds = ((obj.finished_at or clock.now()) - obj.started_at).total_seconds()
        return f"{max(0.0, seconds):.1f} s" + ("" if obj.is_finished else " so far")

    def has_steer_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("infra.change_job")

    @admin.action(description="Run again", permissions=["steer"])
    def retry(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        again = sum(jobs.retry(job_id) for job_id in chosen.values_list("pk", flat=True))
        self._say(request, again, "Will be run again", "None of these had failed or was cancelled.")

    @admin.action(description="Cancel", permissions=["steer"])
    def cancel(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        ended = sum(jobs.cancel(job_id) for job_id in chosen.values_list("pk", flat=True))
        self._say(request, ended, "Cancelled", "All of these had ended.")

    def _say(self, request: HttpRequest, number: int, done: str, nothing: str) -> None:
        if number:
            self.message_user(request, f"{done}: {number}.", messages.SUCCESS)
        else:
            self.message_user(request, nothing, messages.WARNING)


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
