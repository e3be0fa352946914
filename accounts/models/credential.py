"""ModelCredential: a tenant's secrets for a model provider, sealed with the tenant's data key."""

from __future__ import annotations

from typing import Self

from django.db import models

from difyproj.infra.tenancy import TenantQuerySet
from difyproj.model_runtime.base import ModelType

from .rows import TenantRow

MODEL_TYPES = [(kind.value, kind.value) for kind in ModelType]


class CredentialRows(TenantQuerySet["ModelCredential"]):
    def usable(self, provider: str) -> Self:
        return self.filter(provider=provider, enabled=True)


class ModelCredential(TenantRow):
    """Provider-wide when ``model`` is empty; otherwise it also defines the custom model that it names.

    Calls use the ``current`` one of its kind or, where none was chosen, the oldest that is enabled.
    """

    provider = models.CharField(max_length=255)
    name = models.CharField(max_length=255, default="default")
    model_type = models.CharField(max_length=32, choices=MODEL_TYPES, blank=True, default="")
    model = models.CharField(max_length=255, blank=True, default="")
    sealed = models.BinaryField(editable=False)
    enabled = models.BooleanField(default=True)
    current = models.BooleanField(default=False, help_text="Chosen among several.")
    created_by = models.ForeignKey("accounts.Account", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = CredentialRows.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "provider", "model_type", "model", "name"], name="credential_name_once"),
            models.UniqueConstraint(
                fields=["tenant", "provider", "model_type", "model"],
                condition=models.Q(current=True),
                name="credential_one_current",
            ),
            models.CheckConstraint(
                condition=models.Q(model="", model_type="") | (~models.Q(model="") & ~models.Q(model_type="")),
                name="credential_model_and_type",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.name}"
