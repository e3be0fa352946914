"""Embedding: the vector of one text by one model, kept by the text's hash; IndexEntry: that an index holds it."""

from __future__ import annotations

from uuid import uuid4

from django.db import models

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock


class EmbeddingRows(TenantQuerySet["Embedding"]):
    """Vectors, fetched by tenant."""

    def made(self) -> EmbeddingRows:
        """Without those that somebody is still waiting for."""
        return self.filter(dimensions__gt=0)


class Embedding(models.Model):
    """What was embedded once is never embedded again. ``vector`` is little-endian float32, of length one.

    A row without dimensions is a claim: somebody embeds the text just now, and others wait for it until the claim runs out.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    provider = models.CharField(max_length=255)
    model = models.CharField(max_length=255)
    hash = models.CharField(max_length=64, help_text="SHA-256 of the text.")
    dimensions = models.PositiveIntegerField()
    vector = models.BinaryField()
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = EmbeddingRows.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "provider", "model", "hash"], name="embedding_once")]

    def __str__(self) -> str:
        return f"{self.model} {self.hash[:12]}"


class StoredIndexRows(TenantQuerySet["StoredIndex"]):
    """Indexes, fetched by tenant."""


class StoredIndex(models.Model):
    """One generation of one dataset, as the stores keep it. Who writes its entries locks this row first: so the keys of what
    is committed only grow, and copies in memory ask for what is newer than they are.

    ``stamp`` is another one after every change, ``removal`` after every change that took entries away. An index may outlive
    its dataset until a job has dropped it (Leftover), so it points at none.
    """

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    dataset_id = models.UUIDField()
    generation = models.PositiveIntegerField()
    size = models.PositiveIntegerField(default=0, help_text="Entries.")
    stamp = models.UUIDField(default=uuid4)
    removal = models.UUIDField(default=uuid4)

    objects = StoredIndexRows.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "stored indexes"
        constraints = [models.UniqueConstraint(fields=["dataset_id", "generation", "tenant_id"], name="stored_index_once")]

    def __str__(self) -> str:
        return f"{self.dataset_id} {self.generation}"


class IndexEntryRows(TenantQuerySet["IndexEntry"]):
    tenant_lookup = "index__tenant_id"


class IndexEntry(models.Model):
    """One findable thing. What is written again is another row, so a row with one key never says anything else."""

    id = models.BigAutoField(primary_key=True)
    index = models.ForeignKey(StoredIndex, on_delete=models.CASCADE, related_name="entries", db_index=False)
    node_id = models.UUIDField()
    segment_id = models.UUIDField()
    document_id = models.UUIDField()
    words = models.BinaryField(null=True, blank=True, help_text="datasets.rag.bm25.bag; none where only the meaning counts.")
    vector = models.BinaryField(
        null=True, blank=True, help_text="Little-endian float32 of length one; none in economy or where another store has it."
    )

    objects = IndexEntryRows.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "index entries"
        constraints = [models.UniqueConstraint(fields=["index", "node_id"], name="index_entry_once")]
        indexes = [
            models.Index(fields=["index", "document_id"], name="index_entry_document"),
            models.Index(fields=["index", "id"], name="index_entry_order"),
        ]

    def __str__(self) -> str:
        return str(self.node_id)
