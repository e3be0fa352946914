"""What became of graphs: their runs with the traces, what they ask people, what chatflows remember."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from difyproj.tiers.admin import NOTHING, as_written, document
from difyproj.tiers.admin_records import BY_APP, BY_TENANT, Record, link, seconds, short
from workflows.models import ConversationVariable, HumanInputForm, NodeExecution, WorkflowRun
from workflows.services import runs

STEPS_SHOWN = 200


@admin.register(WorkflowRun)
class WorkflowRunAdmin(Record):
    empty_text = "Each run of a workflow or chatflow appears here as soon as it begins."
    list_display = ("short_id", "app", "status", "triggered_from", "version", "total_steps", "took", "created_at")
    list_filter = (BY_TENANT, BY_APP, ("triggered_from", ChoicesDropdownFilter))
    search_fields = ("run__trace_id", "run__error_code")
    search_help_text = "Trace, error code or any id"
    id_fields = ("pk", "app_id", "workflow_id")
    related = ("tenant", "app", "run__end_user")
    ordering = ("-created_at", "-run_id")
    fieldsets = (
        (None, {"fields": (("app", "tenant"), ("status", "took"), "shown_error")}),
        ("Trace", {"fields": ("trace",)}),
        ("Values", {"fields": ("shown_inputs", "shown_outputs")}),
        ("Graph", {"fields": (("version", "workflow_id"), ("triggered_from", "exceptions_count"))}),
        ("Identity", {"fields": ("shown_run", "created_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkflowRun]:
        rows: QuerySet[WorkflowRun] = super().get_queryset(request)
        return rows.defer("graph")

    @display(description="Run")
    def short_id(self, obj: WorkflowRun) -> str:
        return str(obj.pk)[:8]

    @display(description="Status", ordering="run__status")
    def status(self, obj: WorkflowRun) -> str:
        return obj.run.get_status_display()

    @display(description="Took", ordering="run__elapsed_time")
    def took(self, obj: WorkflowRun) -> str:
        return seconds(obj.run.elapsed_time)

    @display(description="Error")
    def shown_error(self, obj: WorkflowRun) -> str:
        return as_written(obj.run.error)

    @display(description="Run")
    def shown_run(self, obj: WorkflowRun) -> str:
        return link(obj.run, str(obj.run_id))

    @display(description="Given")
    def shown_inputs(self, obj: WorkflowRun) -> str:
        return document(obj.inputs)

    @display(description="Came out")
    def shown_outputs(self, obj: WorkflowRun) -> str:
        return document(obj.outputs)

    @display(description="Nodes")
    def trace(self, obj: WorkflowRun) -> str:
        """The first steps, in the order in which they began."""
        steps = runs.node_executions(obj, limit=STEPS_SHOWN)
        lines = format_html_join("", "<li>{} ({}): {}, {}{}</li>", (_line(step) for step in steps))
        return format_html("<ol>{}</ol>", lines) if steps else NOTHING


def _line(step: NodeExecution) -> tuple[Any, ...]:
    error = f": {short(step.error, 200)}" if step.error else ""
    return step.title or step.node_id, step.node_type, step.get_status_display(), seconds(step.elapsed_time), error


@admin.register(HumanInputForm)
class HumanInputFormAdmin(Record):
    empty_text = "When a workflow waits for a person, what it asks appears here."
    list_display = ("title", "app", "tenant", "status", "expires_at", "submitted_at", "created_at")
    list_filter = (BY_TENANT, BY_APP, ("status", ChoicesDropdownFilter))
    search_fields = ("title", "node_id", "app__name")
    search_help_text = "Title, node, app or any id"
    id_fields = ("pk", "run_id", "app_id")
    related = ("tenant", "app", "run")
    fieldsets = (
        (None, {"fields": (("app", "tenant"), ("title", "node_id"), ("status", "expires_at"), "shown_run")}),
        ("Asked", {"fields": ("shown_definition",)}),
        ("Answered", {"fields": (("action_id", "submitted_at"), "shown_values")}),
        ("Identity", {"fields": (("id", "execution_id"), "created_at")}),
    )

    @display(description="Run")
    def shown_run(self, obj: HumanInputForm) -> str:
        return link(obj.run, str(obj.run_id))

    @display(description="Form")
    def shown_definition(self, obj: HumanInputForm) -> str:
        return document(obj.definition)

    @display(description="Values")
    def shown_values(self, obj: HumanInputForm) -> str:
        return document(obj.values)


@admin.register(ConversationVariable)
class ConversationVariableAdmin(Record):
    empty_text = "What chatflows remember between the questions of a conversation appears here."
    list_display = ("name", "value_type", "conversation", "updated_at")
    search_fields = ("name",)
    search_help_text = "Name or any id"
    id_fields = ("pk", "conversation_id", "variable_id")
    related = ("conversation",)
    fieldsets = (
        (None, {"fields": ("conversation", ("name", "value_type"), "description", "shown_value")}),
        ("Identity", {"fields": (("id", "variable_id"), ("created_at", "updated_at"))}),
    )

    @display(description="Value")
    def shown_value(self, obj: ConversationVariable) -> str:
        return document(obj.value)
