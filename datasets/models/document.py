"""Document: one text of a dataset, and how far its way from file to index has come."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models.rows import TenantRow
from difyproj.infra.tenancy import TenantQuerySet

from .dataset import Dataset, DocForm


class ProcessRuleRows(TenantQuerySet["ProcessRule"]):
    """Rules, fetched by tenant."""


class ProcessRule(TenantRow):
    """How documents are cleaned and split; never changed, so that a document keeps the rule it was made with."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="process_rules")
    mode = models.CharField(max_length=16, help_text="automatic, custom or hierarchical.")
    rules = models.JSONField(default=dict)
    created_by_id = models.UUIDField(null=True, blank=True)

    objects = ProcessRuleRows.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.mode} {self.pk}"


class DataSourceType(models.TextChoices):
    UPLOAD_FILE = "upload_file", "File"
    WEBSITE = "website_crawl", "Web page"
    NOTION = "notion_import", "Notion"


class IndexingStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    PARSING = "parsing", "Extracting"
    CLEANING = "cleaning", "Cleaning"
    SPLITTING = "splitting", "Splitting"
    INDEXING = "indexing", "Indexing"
    PAUSED = "paused", "Paused"
    COMPLETED = "completed", "Completed"
    ERROR = "error", "Failed"


UNFINISHED = (
    IndexingStatus.WAITING,
    IndexingStatus.PARSING,
    IndexingStatus.CLEANING,
    IndexingStatus.SPLITTING,
    IndexingStatus.INDEXING,
)


class DocumentRows(TenantQuerySet["Document"]):
    """Documents, fetched by tenant."""

    def searchable(self) -> DocumentRows:
        return self.filter(SEARCHABLE)


class Document(TenantRow):
    """``revision`` grows whenever the text or the rule changes: work for an older one is thrown away.

    Its bytes lie in the storage under ``key`` and belong to it alone.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="documents", db_index=False)
    position = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=255)
    data_source_type = models.CharField(max_length=32, choices=DataSourceType.choices, default=DataSourceType.UPLOAD_FILE)
    data_source_info = models.JSONField(default=dict, help_text="upload_file_id, or url and title of a page.")
    process_rule = models.ForeignKey(ProcessRule, on_delete=models.RESTRICT, related_name="documents")
    batch = models.CharField(max_length=64, db_index=True)
    created_from = models.CharField(max_length=16, default="web", help_text="web, api or rag-pipeline.")
    created_by_id = models.UUIDField(null=True, blank=True)
    key = models.CharField(max_length=255, help_text="Of its bytes in the storage.")
    size = models.BigIntegerField(default=0, help_text="Bytes.")
    hash = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256 of the bytes.")
    extension = models.CharField(max_length=32, blank=True, default="", help_text="Without the dot.")
    mime_type = models.CharField(max_length=255, blank=True, default="")
    doc_form = models.CharField(max_length=32, choices=DocForm.choices, default=DocForm.TEXT)
    doc_language = models.CharField(max_length=64, default="English")
    doc_type = models.CharField(max_length=40, default="", blank=True)
    doc_metadata = models.JSONField(default=dict, blank=True, help_text="Values by field name.")

    indexing_status = models.CharField(max_length=16, choices=IndexingStatus.choices, default=IndexingStatus.WAITING)
    revision = models.PositiveIntegerField(default=1)
    job_id = models.UUIDField(null=True, blank=True, help_text="The infra job that carries it through its stages.")
    run_id = models.UUIDField(null=True, blank=True, editable=False, help_text="The attempt that may write.")
    error = models.TextField(default="", blank=True)
    processing_started_at = models.DateTimeField(null=True, blank=True)
    parsing_completed_at = models.DateTimeField(null=True, blank=True)
    cleaning_completed_at = models.DateTimeField(null=True, blank=True)
    splitting_completed_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by_id = models.UUIDField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    indexing_latency = models.FloatField(null=True, blank=True, help_text="Seconds of work, pauses left out.")
    timings = models.JSONField(default=dict, blank=True, help_text="Seconds per stage.")
    word_count = models.PositiveBigIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    segment_count = models.PositiveIntegerField(default=0)
    completed_segments = models.PositiveIntegerField(default=0)
    page_count = models.PositiveIntegerField(default=0)

    enabled = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_by_id = models.UUIDField(null=True, blank=True)
    archived = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    archived_by_id = models.UUIDField(null=True, blank=True)
    summary_index_status = models.CharField(max_length=16, default="", blank=True)

    objects = DocumentRows.as_manager()

    class Meta:
        ordering = ["position", "created_at", "id"]
        indexes = [
            models.Index(fields=["dataset", "position"], name="document_list"),
            models.Index(fields=["dataset", "indexing_status"], name="document_status"),
            models.Index(fields=["created_at"], condition=Q(indexing_status__in=UNFINISHED), name="document_unfinished"),
        ]

    def __str__(self) -> str:
        return self.name


SEARCHABLE = Q(enabled=True, archived=False, indexing_status=IndexingStatus.COMPLETED)
