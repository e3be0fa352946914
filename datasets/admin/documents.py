"""Documents: how far each is on its way from file to index, and what an operator may do about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from datasets.models import Document, Segment
from datasets.services import document_list, documents, pipeline
from difyproj.kernel.errors import DomainError
from difyproj.tiers.admin import NOTHING, as_written, document
from difyproj.tiers.admin_records import BY_TENANT, Record, address, links, list_address, seconds, short

from .operators import acting
from .standing import live, progress

STATUS_COLOURS = {
    "queuing": "info", "indexing": "info", "paused": "warning", "error": "danger",
    "available": "success", "disabled": "warning", "archived": "warning",
}  # fmt: skip
STAGES: Final = (
    ("Extracted", "parsing_completed_at", "parsing"),
    ("Cleaned", "cleaning_completed_at", "cleaning"),
    ("Split", "splitting_completed_at", "splitting"),
    ("Indexed", "completed_at", "indexing"),
)
Change = Callable[[Document], object]


@admin.register(Document)
class DocumentAdmin(Record):
    empty_text = "Documents appear here as soon as they are uploaded, while they are indexed and afterwards."
    list_display = (
        "title",
        "dataset",
        "tenant",
        "shown_status",
        "progress",
        "characters",
        "took",
        "created_at",
    )
    list_filter = (BY_TENANT, ("indexing_status", ChoicesDropdownFilter), "enabled", "archived")
    search_fields = ("name", "batch", "dataset__name")
    search_help_text = "Name, batch, dataset or any id"
    id_fields = ("pk", "dataset_id", "job_id")
    related = ("tenant", "dataset")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    actions = ("retry", "pause", "resume", "enable", "disable", "remove")
    list_before_template = "admin/datasets/live.html"
    fieldsets = (
        (None, {"fields": (("name", "dataset"), ("standing", "progress"), "stages", "shown_error", "leads_to")}),
        ("Text", {"fields": (("segment_count", "characters"), ("tokens", "page_count"), ("doc_form", "doc_language"))}),
        ("File", {"fields": (("extension", "mime_type"), ("shown_size", "data_source_type"), ("created_from", "digest"))}),
        ("Rule and facts", {"fields": ("rule", "facts")}),
        ("Identity", {"fields": ("id", ("tenant", "batch"), ("job_id", "created_by_id"), ("created_at", "updated_at"))}),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(progress, model_admin=self))
        return [path("progress/", view, name="datasets_progress"), *super().get_urls()]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "dataset__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description="Document", ordering="name")
    def title(self, obj: Document) -> str:
        return short(obj.name, 60) or str(obj.pk)

    @display(description="Status", ordering="indexing_status", label=STATUS_COLOURS)
    def shown_status(self, obj: Document) -> tuple[str, str]:
        word = document_list.display_status(obj)
        return word, obj.get_indexing_status_display() if word == "indexing" else word.capitalize()

    @display(description="Status")
    def standing(self, obj: Document) -> str:
        return self.shown_status(obj)[1]

    @display(description="Characters", ordering="word_count")
    def characters(self, obj: Document) -> str:
        return f"{obj.word_count:,}"

    @display(description="Progress")
    def progress(self, obj: Document) -> str:
        return live(obj)

    @display(description="Took", ordering="indexing_latency")
    def took(self, obj: Document) -> str:
        return NOTHING if obj.indexing_latency is None else seconds(obj.indexing_latency)

    @display(description="Size", ordering="size")
    def shown_size(self, obj: Document) -> str:
        return filesizeformat(obj.size)

    @display(description="Hash")
    def digest(self, obj: Document) -> str:
        return as_written(obj.hash)

    @display(description="Error")
    def shown_error(self, obj: Document) -> str:
        return as_written(obj.error)

    @display(description="Stages")
    def stages(self, obj: Document) -> str:
        shown = [(name, getattr(obj, field), obj.timings.get(stage)) for name, field, stage in STAGES]
        began = obj.processing_started_at
        return render_to_string("admin/datasets/stages.html", {"began": began, "stages": shown, "document": obj})

    @display(description="Rule")
    def rule(self, obj: Document) -> str:
        return document({"mode": obj.process_rule.mode, **obj.process_rule.rules})

    @display(description="Metadata")
    def facts(self, obj: Document) -> str:
        return document(obj.doc_metadata)

    @display(description="See its")
    def leads_to(self, obj: Document) -> str:
        return links([(list_address(Segment, document__id__exact=obj.pk), "segments"), (address(obj.dataset), "dataset")])

    def has_change_rows_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("datasets.change_document")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("datasets.delete_document")

    @admin.action(description="Index again what failed", permissions=["change_rows"])
    def retry(self, request: HttpRequest, chosen: QuerySet[Document]) -> None:
        self._each(request, chosen, pipeline.retry, "go on where they failed")

    @admin.action(description="Pause", permissions=["change_rows"])
    def pause(self, request: HttpRequest, chosen: QuerySet[Document]) -> None:
        self._each(request, chosen, lambda row: pipeline.pause(row, by=request.user.pk), "pause")

    @admin.action(description="Resume", permissions=["change_rows"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Document]) -> None:
        self._each(request, chosen, pipeline.resume, "go on")

    @admin.action(description="Enable", permissions=["change_rows"])
    def enable(self, request: HttpRequest, chosen: QuerySet[Document]) -> None:
        self._each(request, chosen, lambda row: self._act(request, row, "enable"), "are enabled")

    @admin.action(description="Disable", permissions=["change_rows"])
    def disable(self, request: HttpRequest, chosen: QuerySet[Document]) -> None:
        self._each(request, chosen, lambda row: self._act(request, row, "disable"), "are disabled")

    @admin.action(description="Delete with their segments", permissions=["remove"])
    def remove(self, request: HttpRequest, chosen: QuerySet[Document]) -> None:
        def delete(row: Document) -> None:
            documents.delete(principal=acting(request, row.tenant_id), dataset=row.dataset, document=row)

        self._each(request, chosen, delete, "are deleted")

    def _act(self, request: HttpRequest, row: Document, word: str) -> None:
        documents.act(principal=acting(request, row.tenant_id), dataset=row.dataset, document_ids=[row.pk], action=word)

    def _each(self, request: HttpRequest, chosen: QuerySet[Document], change: Change, what: str) -> None:
        """One after the other: what is refused for one does not keep the others back."""
        done, refused = 0, []
        for row in chosen.select_related("dataset"):
            try:
                change(row)
                done += 1
            except DomainError as error:
                refused.append(f"{row.name}: {error.message}")
        if done:
            self.message_user(request, f"{done} documents {what}.", messages.SUCCESS)
        for line in refused[:10]:
            self.message_user(request, line, messages.WARNING)
