"""Segments: what a document was split into, to read and to mend."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from datasets.models import ChildChunk, Segment
from datasets.services import segments
from difyproj.tiers.admin import NOTHING
from difyproj.tiers.admin_records import BY_TENANT, Record, link, short

from .operators import acting

STATUS_COLOURS = {"completed": "success", "waiting": "info", "indexing": "info", "error": "danger"}
CHILDREN_SHOWN = 50


class SegmentForm(forms.ModelForm):
    words = forms.CharField(
        label="Keywords",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Separated by commas. Used by economy indexes.",
    )

    class Meta:
        model = Segment
        fields: ClassVar[list[str]] = ["content", "answer", "enabled"]
        widgets: ClassVar[dict[str, Any]] = {
            "content": UnfoldAdminTextareaWidget(attrs={"rows": 12}),
            "answer": UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        }
        help_texts: ClassVar[dict[str, str]] = {
            "content": "What is looked for and shown. A change is embedded at once and outlives another split.",
            "answer": "Only in documents of questions and answers.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["words"].initial = ", ".join(self.instance.keywords)

    def clean_words(self) -> list[str]:
        return [word.strip() for word in self.cleaned_data["words"].split(",") if word.strip()]


@admin.register(Segment)
class SegmentAdmin(Record):
    empty_text = "The passages of indexed documents appear here."
    form = SegmentForm
    list_display = ("position", "text", "document", "page", "tokens", "hit_count", "enabled", "shown_status")
    list_display_links = ("position", "text")
    list_filter = (BY_TENANT, ("status", ChoicesDropdownFilter), "enabled", "edited")
    search_fields = ("content", "answer")
    search_help_text = "Words or any id"
    id_fields = ("pk", "document_id", "dataset_id", "index_node_id")
    related = ("tenant", "document", "dataset")
    ordering = ("-created_at", "position")
    readonly_fields = (
        "shown_document", "position", "page", "place", "word_count", "tokens", "hit_count", "status", "error", "edited",
        "children", "id", "index_node_id", "index_node_hash", "created_at", "updated_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("shown_document", "content", "answer", "words", "enabled")}),
        ("Where it stands", {"fields": (("position", "page"), "place")}),
        ("Use", {"fields": (("word_count", "tokens"), ("hit_count", "edited"), ("status", "error"))}),
        ("Children", {"fields": ("children",)}),
        ("Identity", {"fields": ("id", ("index_node_id", "index_node_hash"), ("created_at", "updated_at"))}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("datasets.change_segment")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "document__id__exact" or super().lookup_allowed(lookup, value, request)

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        given = form.cleaned_data
        said = {name: given[name] for name in ("content", "answer") if name in form.changed_data}
        if "enabled" in form.changed_data:
            said["enabled"] = given["enabled"]
        if "words" in form.changed_data:
            said["keywords"] = given["words"]
        principal = acting(request, obj.tenant_id)
        segments.update(principal=principal, dataset=obj.dataset, document=obj.document, segment=obj, **said)

    @display(description="Text", ordering="content")
    def text(self, obj: Segment) -> str:
        return short(obj.content, 90)

    @display(description="Document")
    def shown_document(self, obj: Segment) -> str:
        return link(obj.document)

    @display(description="Characters of the text")
    def place(self, obj: Segment) -> str:
        return NOTHING if obj.start is None else f"{obj.start:,} to {obj.end or obj.start:,}"

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, obj: Segment) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description="Child chunks")
    def children(self, obj: Segment) -> str:
        found = list(ChildChunk.objects.filter(segment=obj).values_list("position", "content")[:CHILDREN_SHOWN])
        return "\n".join(f"{position}. {short(content, 120)}" for position, content in found) or NOTHING
