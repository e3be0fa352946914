"""Segment: a passage of a document, what retrieval gives back; ChildChunk: a part of one that is looked for in its place."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models.rows import TenantRow
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import ids

from .dataset import Dataset
from .document import Document


class SegmentStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    INDEXING = "indexing", "Indexing"
    COMPLETED = "completed", "Completed"
    ERROR = "error", "Failed"
    RE_SEGMENT = "re_segment", "Replaced by a later split"


class SegmentRows(TenantQuerySet["Segment"]):
    """Segments, fetched by tenant."""

    def searchable(self) -> SegmentRows:
        return self.filter(SEARCHABLE)


class Segment(TenantRow):
    """``content`` is what is looked for, in Q&A documents the question; ``answer`` is theirs.

    ``start`` and ``end`` are offsets in characters into the document's cleaned text, ``page`` counts from 1. ``source_hash`` is
    the hash of the text as it was split: a re-parse that brings the same text keeps the row, and what people ``edited`` in it.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="+", db_index=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="segments", db_index=False)
    position = models.PositiveIntegerField()
    content = models.TextField()
    answer = models.TextField(blank=True, default="")
    summary = models.TextField(default="", blank=True)
    keywords = models.JSONField(default=list, blank=True)
    attachments = models.JSONField(default=list, blank=True, help_text="Ids of uploaded files.")
    word_count = models.PositiveIntegerField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    page = models.PositiveIntegerField(null=True, blank=True)
    start = models.PositiveIntegerField(null=True, blank=True)
    end = models.PositiveIntegerField(null=True, blank=True)
    boxes = models.JSONField(
        default=list, blank=True, help_text="Where it stands on its pages: [page, x0, y0, x1, y1] from 0 to 1."
    )
    index_node_id = models.UUIDField(default=ids.new_id, help_text="Its entry in the index.")
    index_node_hash = models.CharField(max_length=64, blank=True, default="", help_text="Hash of what the index holds.")
    source_hash = models.CharField(max_length=64, blank=True, default="")
    revision = models.PositiveIntegerField(default=1, help_text="The document's revision that made or kept it.")
    edited = models.BooleanField(default=False, help_text="Changed or added by a person or through the API.")
    status = models.CharField(max_length=16, choices=SegmentStatus.choices, default=SegmentStatus.WAITING)
    error = models.TextField(default="", blank=True)
    hit_count = models.PositiveIntegerField(default=0)
    enabled = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_by_id = models.UUIDField(null=True, blank=True)
    created_by_id = models.UUIDField(null=True, blank=True)
    updated_by_id = models.UUIDField(null=True, blank=True)
    indexing_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)

    objects = SegmentRows.as_manager()

    class Meta:
        ordering = ["position", "id"]
        indexes = [
            models.Index(fields=["document", "position"], name="segment_list"),
            models.Index(fields=["dataset", "status"], name="segment_status"),
            models.Index(fields=["updated_at"], condition=Q(status="waiting"), name="segment_waiting"),
        ]

    def __str__(self) -> str:
        return self.content[:60]


class ChildChunkType(models.TextChoices):
    AUTOMATIC = "automatic", "Made by splitting"
    CUSTOMIZED = "customized", "Written by a person or through the API"


class ChildChunkRows(TenantQuerySet["ChildChunk"]):
    """Child chunks, fetched by tenant."""


class ChildChunk(TenantRow):
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="+", db_index=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="child_chunks", db_index=False)
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="child_chunks", db_index=False)
    position = models.PositiveIntegerField()
    content = models.TextField()
    word_count = models.PositiveIntegerField(default=0)
    type = models.CharField(max_length=16, choices=ChildChunkType.choices, default=ChildChunkType.AUTOMATIC)
    index_node_id = models.UUIDField(default=ids.new_id)
    index_node_hash = models.CharField(max_length=64, blank=True, default="")

    objects = ChildChunkRows.as_manager()

    class Meta:
        ordering = ["position", "id"]
        indexes = [
            models.Index(fields=["segment", "position"], name="child_chunk_list"),
            models.Index(fields=["document"], name="child_chunk_document"),
        ]

    def __str__(self) -> str:
        return self.content[:60]


SEARCHABLE = Q(enabled=True, status=SegmentStatus.COMPLETED)
