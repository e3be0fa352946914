"""ApiToken: the key an integrator presents. Only its hash is kept; the prefix finds it for people."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App


class TokenKind(models.TextChoices):
    APP = "app", "App"
    DATASET = "dataset", "Knowledge"


class ApiTokenQuerySet(TenantQuerySet["ApiToken"]):
    app_lookup = "app_id"


class ApiToken(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="api_tokens")
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="api_tokens", null=True, blank=True)
    kind = models.CharField(max_length=16, choices=TokenKind.choices, default=TokenKind.APP)
    name = models.CharField(max_length=100, blank=True, default="")
    prefix = models.CharField(max_length=16, editable=False, help_text="The first characters, to recognise it by.")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    is_active = models.BooleanField(default=True, help_text="Switched off, the key is refused.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                name="app_token_has_app", condition=Q(kind="dataset", app__isnull=True) | Q(kind="app", app__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"
