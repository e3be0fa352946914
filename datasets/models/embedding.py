"""Embedding: the vector of one text by one model, kept by the text's hash; IndexEntry: that an index holds it."""

from __future__ import annotations

from django.db import models

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock

from .dataset import Dataset


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


class IndexEntryRows(TenantQuerySet["IndexEntry"]):
    tenant_lookup = "dataset__tenant_id"


class IndexEntry(models.Model):
    """One findable thing of the embedded store. ``id`` grows with each change, so copies in memory ask for what is new."""

    id = models.BigAutoField(primary_key=True)
    # An index may outlive its dataset until a job has dropped it (Leftover).
    dataset = models.ForeignKey(Dataset, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    generation = models.PositiveIntegerField()
    node_id = models.UUIDField()
    segment_id = models.UUIDField()
    document_id = models.UUIDField()
    vector = models.BinaryField(null=True, blank=True, help_text="Little-endian float32 of length one; none in economy.")

    objects = IndexEntryRows.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "index entries"
        constraints = [models.UniqueConstraint(fields=["dataset", "generation", "node_id"], name="index_entry_once")]
        indexes = [models.Index(fields=["dataset", "generation", "document_id"], name="index_entry_document")]

    def __str__(self) -> str:
        return str(self.node_id)
