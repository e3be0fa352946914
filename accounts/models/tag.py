"""Tag: a word that a tenant sorts its apps or datasets by; TagBinding: that one of them carries it."""

from __future__ import annotations

from django.db import models

from difyproj.infra.tenancy import TenantQuerySet

from .rows import TenantRow


class TagType(models.TextChoices):
    APP = "app", "App"
    KNOWLEDGE = "knowledge", "Knowledge"
    SNIPPET = "snippet", "Snippet"


class TagRows(TenantQuerySet["Tag"]):
    """Tags, fetched by tenant."""


class Tag(TenantRow):
    type = models.CharField(max_length=16, choices=TagType.choices)
    name = models.CharField(max_length=50)
    created_by = models.ForeignKey("accounts.Account", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = TagRows.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "type", "name"], name="tag_once")]

    def __str__(self) -> str:
        return self.name


class TagBindingRows(TenantQuerySet["TagBinding"]):
    """Bindings, fetched by tenant."""


class TagBinding(TenantRow):
    """``target_id`` is an app's or a dataset's id: those rows stand on floors above."""

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="bindings")
    target_id = models.UUIDField(db_index=True)

    objects = TagBindingRows.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["tag", "target_id"], name="tag_binding_once")]

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.target_id}"
