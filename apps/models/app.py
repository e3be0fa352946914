"""App: one published assistant of a tenant, with its configuration; Site: its public page."""

from __future__ import annotations

import secrets
from typing import Any, Self

from django.db import models

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class AppMode(models.TextChoices):
    CHAT = "chat", "Chatbot"
    COMPLETION = "completion", "Text generator"
    AGENT_CHAT = "agent-chat", "Agent"
    ADVANCED_CHAT = "advanced-chat", "Chatflow"
    WORKFLOW = "workflow", "Workflow"


class AppStatus(models.TextChoices):
    NORMAL = "normal", "Normal"
    SUSPENDED = "suspended", "Suspended"
    REMOVED = "removed", "Being removed"


class AccessMode(models.TextChoices):
    """Who may open the published page."""

    PUBLIC = "public", "Anyone with the link"
    PRIVATE_ALL = "private_all", "Signed-in members of the workspace"


class AppQuerySet(TenantQuerySet["App"]):
    """A removed app is gone for its tenant; its rows go in the background."""

    app_lookup = "pk"

    def for_tenant(self, tenant: Any) -> Self:
        return super().for_tenant(tenant).exclude(status=AppStatus.REMOVED)


class App(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="apps")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    mode = models.CharField(max_length=32, choices=AppMode.choices)
    icon_type = models.CharField(max_length=16, default="emoji", blank=True)
    icon = models.CharField(max_length=255, default="🤖", blank=True)
    icon_background = models.CharField(max_length=32, default="#FFEAD5", blank=True)
    status = models.CharField(max_length=16, choices=AppStatus.choices, default=AppStatus.NORMAL)
    enable_site = models.BooleanField(default=True, help_text="Serve the public page of this app.")
    enable_api = models.BooleanField(default=True, help_text="Answer API tokens of this app.")
    max_active_requests = models.PositiveIntegerField(
        default=0, help_text="Generations that may run at the same time; 0 takes the instance's default."
    )
    config = models.JSONField(default=dict, blank=True, help_text="Model, prompt, variables and features.")
    use_icon_as_answer_icon = models.BooleanField(default=False)
    tracing = models.JSONField(null=True, blank=True, help_text="Where runs are traced to, if anywhere.")
    access_mode = models.CharField(max_length=16, choices=AccessMode.choices, default=AccessMode.PUBLIC)
    created_by_id = models.UUIDField(null=True, blank=True, help_text="The account that made it.")
    updated_by_id = models.UUIDField(null=True, blank=True, help_text="The account that changed it last.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AppQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = [
            models.Index(fields=["tenant", "-created_at"]),
            models.Index(fields=["tenant", "-updated_at"]),
        ]

    def __str__(self) -> str:
        return self.name


class AppStarQuerySet(TenantQuerySet["AppStar"]):
    tenant_lookup = "app__tenant_id"
    app_lookup = "app_id"


class AppStar(models.Model):
    """An account keeps an app at hand."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="stars", db_index=False)
    account_id = models.UUIDField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = AppStarQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [models.UniqueConstraint(fields=["app", "account_id"], name="star_once")]

    def __str__(self) -> str:
        return f"{self.account_id} stars {self.app_id}"


def new_site_code() -> str:
    return secrets.token_urlsafe(12)


class SiteQuerySet(TenantQuerySet["Site"]):
    tenant_lookup = "app__tenant_id"
    app_lookup = "app_id"


class Site(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    app = models.OneToOneField(App, on_delete=models.CASCADE, related_name="site")
    code = models.CharField(max_length=64, unique=True, default=new_site_code)
    title = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    icon_type = models.CharField(max_length=16, default="emoji", blank=True)
    icon = models.CharField(max_length=255, default="🤖", blank=True)
    icon_background = models.CharField(max_length=32, default="#FFEAD5", blank=True)
    default_language = models.CharField(max_length=16, default="en-US")
    chat_color_theme = models.CharField(max_length=32, blank=True, default="")
    chat_color_theme_inverted = models.BooleanField(default=False)
    copyright = models.CharField(max_length=255, blank=True, default="")
    privacy_policy = models.CharField(max_length=500, blank=True, default="")
    input_placeholder = models.CharField(max_length=255, blank=True, default="")
    custom_disclaimer = models.TextField(blank=True, default="")
    customize_domain = models.CharField(max_length=255, blank=True, default="")
    customize_token_strategy = models.CharField(
        max_length=16, default="not_allow", choices=[(word, word) for word in ("must", "allow", "not_allow")]
    )
    prompt_public = models.BooleanField(default=False, help_text="Show the page's visitors the app's prompt.")
    cors_origins = models.JSONField(
        default=list, blank=True, help_text="Origins whose pages may call this site; empty: those of the instance."
    )
    frame_ancestors = models.JSONField(
        default=list, blank=True, help_text="Origins that may embed the page; empty: any, as an embed code needs."
    )
    show_workflow_steps = models.BooleanField(default=True)
    use_icon_as_answer_icon = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SiteQuerySet.as_manager()

    def __str__(self) -> str:
        return self.title
