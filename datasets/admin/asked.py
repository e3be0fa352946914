"""What datasets were asked, and why each passage was returned."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from datasets.models import DatasetQuery, ExternalKnowledgeApi
from difyproj.tiers.admin import as_written, document
from difyproj.tiers.admin_records import BY_TENANT, Record, short


@admin.register(DatasetQuery)
class DatasetQueryAdmin(Record):
    empty_text = "Each question that an app, a key or a retrieval test asks of a dataset appears here."
    list_display = ("question", "dataset", "tenant", "source", "took", "created_at")
    list_filter = (BY_TENANT, ("source", ChoicesDropdownFilter))
    search_fields = ("content",)
    search_help_text = "Words or any id"
    id_fields = ("pk", "dataset_id", "app_id", "created_by_id")
    related = ("tenant", "dataset")
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": ("asked", ("dataset", "source"), "took")}),
        ("Why these passages", {"fields": ("shown_trace",)}),
        ("Identity", {"fields": ("id", ("tenant", "app_id"), ("created_by_role", "created_by_id"), "created_at")}),
    )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "dataset__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description="Question", ordering="content")
    def question(self, obj: DatasetQuery) -> str:
        return short(obj.content, 80)

    @display(description="Question")
    def asked(self, obj: DatasetQuery) -> str:
        return as_written(obj.content)

    @display(description="Took", ordering="elapsed_ms")
    def took(self, obj: DatasetQuery) -> str:
        return f"{obj.elapsed_ms:.0f}\N{NO-BREAK SPACE}ms"

    @display(description="Trace")
    def shown_trace(self, obj: DatasetQuery) -> str:
        return document(obj.trace)


@admin.register(ExternalKnowledgeApi)
class ExternalKnowledgeApiAdmin(Record):
    empty_text = "Other systems that workspaces ask for passages appear here. Their keys are never shown."
    list_display = ("name", "endpoint", "tenant", "created_at")
    list_filter = (BY_TENANT,)
    search_fields = ("name", "endpoint")
    search_help_text = "Name, address or any id"
    id_fields = ("pk", "tenant_id")
    related = ("tenant",)
    fieldsets = (
        (None, {"fields": (("name", "endpoint"), "description")}),
        ("Identity", {"fields": ("id", "tenant", ("created_by_id", "updated_by_id"), ("created_at", "updated_at"))}),
    )
