"""Versions of graphs, and what starts the published ones."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from difyproj.tiers.admin import NOTHING, as_written, document
from difyproj.tiers.admin_records import BY_APP, BY_TENANT, Record
from workflows.models import Trigger, Workflow
from workflows.services import environment


@admin.register(Workflow)
class WorkflowAdmin(Record):
    empty_text = "The graphs of workflows and chatflows appear here: each app's draft, and every version that was published."
    list_display = ("version", "marked_name", "app", "tenant", "created_at", "updated_at")
    list_filter = (BY_TENANT, BY_APP)
    search_fields = ("marked_name", "app__name")
    search_help_text = "Name, app or any id"
    id_fields = ("pk", "app_id")
    related = ("tenant", "app")
    ordering = ("-created_at", "-id")
    fieldsets = (
        (None, {"fields": (("app", "tenant"), ("version", "marked_name"), "shown_comment")}),
        ("Graph", {"fields": ("shown_graph", "shown_features")}),
        ("Variables", {"fields": ("shown_environment", "shown_conversation")}),
        ("Identity", {"fields": ("id", "hash", ("created_by_id", "updated_by_id"), ("created_at", "updated_at"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workflow]:
        """A list needs no graphs, which may be large."""
        rows: QuerySet[Workflow] = super().get_queryset(request)
        is_list = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
        return rows.defer("graph", "features", "sealed") if is_list else rows

    @display(description="Comment")
    def shown_comment(self, obj: Workflow) -> str:
        return as_written(obj.marked_comment)

    @display(description="Nodes and edges")
    def shown_graph(self, obj: Workflow) -> str:
        return document(obj.graph)

    @display(description="Features")
    def shown_features(self, obj: Workflow) -> str:
        return document(obj.features)

    @display(description="Environment")
    def shown_environment(self, obj: Workflow) -> str:
        return document(environment.shown(obj))

    @display(description="Conversation")
    def shown_conversation(self, obj: Workflow) -> str:
        return document(obj.conversation_variables)


@admin.register(Trigger)
class TriggerAdmin(Record):
    empty_text = "Webhooks and schedules of published workflows appear here."
    list_display = ("node_id", "kind", "app", "tenant", "enabled", "next_at", "last_at")
    list_filter = (BY_TENANT, BY_APP, ("kind", ChoicesDropdownFilter), "enabled")
    search_fields = ("node_id", "title", "app__name")
    search_help_text = "Node, title, app or any id"
    id_fields = ("pk", "app_id", "last_run_id")
    related = ("tenant", "app")
    fieldsets = (
        (None, {"fields": (("app", "tenant"), ("node_id", "title"), ("kind", "enabled", "is_signed"))}),
        ("Firing", {"fields": (("next_at", "last_at"), "last_run_id", "shown_error")}),
        ("As drawn", {"fields": ("shown_configuration",)}),
        ("Identity", {"fields": ("id", ("created_at", "updated_at"))}),
    )

    @display(description="Signed calls only", boolean=True)
    def is_signed(self, obj: Trigger) -> bool:
        return bool(obj.sealed)

    @display(description="Last error")
    def shown_error(self, obj: Trigger) -> str:
        return as_written(obj.last_error) if obj.last_error else NOTHING

    @display(description="Configuration")
    def shown_configuration(self, obj: Trigger) -> str:
        return document(obj.configuration)
