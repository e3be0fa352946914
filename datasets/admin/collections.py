"""Datasets: what each holds and how it is searched, and the ways to its documents, an upload and the retrieval test."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from datasets.models import Dataset, DatasetQuery, Document, Embedding, IndexingStatus
from datasets.models.document import SEARCHABLE
from datasets.services import datasets
from difyproj.tiers.admin import NOTHING, adopt, document
from difyproj.tiers.admin_records import BY_TENANT, Record, links, list_address

from .forms import NewDatasetForm
from .operators import acting
from .pages import RetrievalPage, UploadPage

TECHNIQUE_COLOURS = {"high_quality": "success", "economy": "info"}


@admin.register(Dataset)
class DatasetAdmin(Record):
    empty_text = "Knowledge that workspaces upload appears here. Make a dataset in the console or by a dataset key."
    list_display = ("name", "tenant", "document_total", "segment_total", "word_total", "shown_technique", "embedding", "state")
    list_filter = (BY_TENANT, ("indexing_technique", ChoicesDropdownFilter), ("provider", ChoicesDropdownFilter))
    search_fields = ("name", "description")
    search_help_text = "Name or any id"
    id_fields = ("pk", "tenant_id", "created_by_id")
    related = ("tenant", "external_api")
    date_hierarchy = "created_at"
    actions_detail = ("see_documents", "upload", "try_retrieval")
    fieldsets = (
        (None, {"fields": (("name", "tenant"), "description", ("provider", "permission"), "leads_to")}),
        ("Contents", {"fields": (("document_total", "standing"), ("segment_total", "word_total"), ("stored", "vectors"))}),
        (
            "Index",
            {"fields": (("indexing_technique", "doc_form"), ("embedding", "dimensions"), ("generation", "next_generation"))},
        ),
        ("Search", {"fields": ("shown_retrieval",)}),
        ("Elsewhere", {"fields": (("external_api", "external_knowledge_id"),)}),
        ("Identity", {"fields": ("id", ("created_by_id", "updated_by_id"), ("created_at", "updated_at"))}),
    )

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view
        return [
            path("<uuid:object_id>/upload/", page(UploadPage.as_view(model_admin=self)), name="datasets_upload"),
            path("<uuid:object_id>/retrieval/", page(RetrievalPage.as_view(model_admin=self)), name="datasets_retrieval"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("datasets.add_dataset")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **({} if change else {"form": NewDatasetForm}), **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": NewDatasetForm.Meta.fields})] if obj is None else super().get_fieldsets(request, obj)

    def save_model(self, request: HttpRequest, obj: Dataset, form: Any, change: bool) -> None:
        given = dict(form.cleaned_data)
        adopt(obj, datasets.create(principal=acting(request, given.pop("tenant").pk), **given))

    def response_add(self, request: HttpRequest, obj: Dataset, post_url_continue: str | None = None) -> HttpResponseRedirect:
        """What comes next is its first document."""
        return HttpResponseRedirect(reverse("admin:datasets_upload", args=[obj.pk]))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        own = Document.objects.filter(dataset=OuterRef("pk")).order_by().values("dataset")
        totals = {
            "documents_now": Count("pk"),
            "available_now": Count("pk", filter=SEARCHABLE),
            "failed_now": Count("pk", filter=Q(indexing_status=IndexingStatus.ERROR)),
            "segments_now": Sum("segment_count"),
            "words_now": Sum("word_count"),
            "bytes_now": Sum("size"),
        }
        counted = {name: Coalesce(Subquery(own.annotate(one=total).values("one")), 0) for name, total in totals.items()}
        rows: QuerySet[Dataset] = super().get_queryset(request).annotate(**counted)
        return rows

    @action(description="Documents", url_path="documents", icon="description", permissions=["look"])
    def see_documents(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(list_address(Document, dataset__id__exact=object_id))

    @action(description="Upload", url_path="upload-to", icon="upload", permissions=["upload"])
    def upload(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:datasets_upload", args=[object_id]))

    @action(description="Retrieval test", url_path="try", icon="science", permissions=["look"])
    def try_retrieval(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:datasets_retrieval", args=[object_id]))

    def has_look_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return request.user.has_perm("datasets.view_dataset")

    def has_upload_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return request.user.has_perm("datasets.add_document")

    @display(description="Documents", ordering="documents_now")
    def document_total(self, obj: Any) -> int:
        return int(obj.documents_now)

    @display(description="Segments", ordering="segments_now")
    def segment_total(self, obj: Any) -> int:
        return int(obj.segments_now)

    @display(description="Characters", ordering="words_now")
    def word_total(self, obj: Any) -> str:
        return f"{obj.words_now:,}"

    @display(description="Files", ordering="bytes_now")
    def stored(self, obj: Any) -> str:
        return filesizeformat(obj.bytes_now)

    @display(description="Embedded")
    def vectors(self, obj: Dataset) -> str:
        """What the whole workspace has embedded: texts are embedded once, whichever dataset holds them."""
        return f"{Embedding.objects.for_tenant(obj.tenant_id).count():,} texts of the workspace"

    @display(description="Index", ordering="indexing_technique", label=TECHNIQUE_COLOURS)
    def shown_technique(self, obj: Dataset) -> tuple[str, str]:
        return obj.indexing_technique, (obj.indexing_technique or "not chosen").replace("_", " ")

    @display(description="Embedding model", ordering="embedding_model")
    def embedding(self, obj: Dataset) -> str:
        return f"{obj.embedding_model_provider} / {obj.embedding_model}" if obj.embedding_model else NOTHING

    @display(description="State", label={"ready": "success", "working": "info", "failed": "danger", "empty": "warning"})
    def state(self, obj: Any) -> tuple[str, str]:
        if not obj.documents_now:
            return "empty", "No documents yet"
        if obj.failed_now:
            return "failed", f"{obj.failed_now} failed"
        waiting = obj.documents_now - obj.available_now
        return ("working", f"{waiting} not available") if waiting else ("ready", "All available")

    @display(description="State")
    def standing(self, obj: Any) -> str:
        return self.state(obj)[1]

    @display(description="Search")
    def shown_retrieval(self, obj: Dataset) -> str:
        return document(obj.retrieval_model)

    @display(description="See its")
    def leads_to(self, obj: Dataset) -> str:
        targets = [
            (list_address(Document, dataset__id__exact=obj.pk), "documents"),
            (list_address(DatasetQuery, dataset__id__exact=obj.pk), "questions"),
            (reverse("admin:datasets_upload", args=[obj.pk]), "upload page"),
            (reverse("admin:datasets_retrieval", args=[obj.pk]), "retrieval test"),
        ]
        return links(targets)
