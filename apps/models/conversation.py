"""Conversation, Message and what hangs on a message: its files and people's feedback.

Foreign keys without an index of their own are covered by a composite one, or are only followed when a tenant or person is
removed: each index costs every question a page to write.
"""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App
from .end_user import EndUser
from .run import Run
from .upload_file import UploadFile

LOGGED = Q(is_deleted=False) & ~Q(tier="console")


class ConversationQuerySet(TenantQuerySet["Conversation"]):
    app_lookup = "app_id"

    def logged(self) -> Self:
        """What the logs show: debug runs and deleted conversations are left out."""
        return self.filter(LOGGED)


class Conversation(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="conversations", db_index=False)
    mode = models.CharField(max_length=32)
    name = models.CharField(max_length=255, blank=True, default="")
    inputs = models.JSONField(default=dict, blank=True)
    introduction = models.TextField(blank=True, default="")
    status = models.CharField(max_length=16, default="normal", choices=[("normal", "Normal"), ("completed", "Completed")])
    tier = models.CharField(max_length=16)
    end_user = models.ForeignKey(
        EndUser, on_delete=models.SET_NULL, null=True, blank=True, related_name="conversations", db_index=False
    )
    account_id = models.UUIDField(null=True, blank=True)
    is_deleted = models.BooleanField(default=False)
    read_at = models.DateTimeField(null=True, blank=True, help_text="When an operator first read it in the logs.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ("-updated_at",)
        indexes = [
            models.Index(fields=["app", "end_user", "-updated_at"]),
            # The logs' list and its total: conversations of published use that nobody deleted.
            models.Index(fields=["app", "-created_at"], condition=LOGGED, name="apps_conversation_logged"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.id)


class MessageQuerySet(TenantQuerySet["Message"]):
    app_lookup = "app_id"


class Message(models.Model):
    """A question and its answer. The row stands, with an empty answer, before the first token comes."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="messages", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False)
    run = models.OneToOneField(Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="message")
    parent_message_id = models.UUIDField(null=True, blank=True)
    inputs = models.JSONField(default=dict, blank=True)
    query = models.TextField(blank=True, default="")
    answer = models.TextField(blank=True, default="")
    status = models.CharField(max_length=16, default="normal", choices=[("normal", "Normal"), ("error", "Error")])
    error = models.TextField(null=True, blank=True)  # noqa: DJ001  null is on the wire
    metadata = models.JSONField(default=dict, blank=True, help_text="Usage, citations and the like, as sent at the end.")
    model_provider = models.CharField(max_length=255, blank=True, default="")
    model_name = models.CharField(max_length=255, blank=True, default="")
    message_tokens = models.PositiveIntegerField(default=0, help_text="Tokens of the prompt.")
    answer_tokens = models.PositiveIntegerField(default=0)
    total_price = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    currency = models.CharField(max_length=8, default="USD")
    latency = models.FloatField(default=0.0, help_text="Seconds until the answer was complete.")
    tier = models.CharField(max_length=16)
    end_user = models.ForeignKey(
        EndUser, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages", db_index=False
    )
    account_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ("created_at",)
        indexes = [
            models.Index(fields=["conversation", "created_at"]),
            models.Index(fields=["app", "-created_at"]),
        ]

    def __str__(self) -> str:
        return self.query[:60] or str(self.id)


class MessageFileQuerySet(TenantQuerySet["MessageFile"]):
    tenant_lookup = "message__tenant_id"
    app_lookup = "message__app_id"


class MessageFile(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="files")
    type = models.CharField(max_length=16)
    transfer_method = models.CharField(max_length=16)
    url = models.TextField(blank=True, default="")
    belongs_to = models.CharField(max_length=16, default="user")
    upload_file = models.ForeignKey(UploadFile, on_delete=models.SET_NULL, null=True, blank=True, related_name="message_files")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = MessageFileQuerySet.as_manager()

    class Meta:
        ordering = ("created_at",)

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class FeedbackQuerySet(TenantQuerySet["Feedback"]):
    app_lookup = "app_id"


class Feedback(models.Model):
    """At most one per message and side (the end user's, an account's)."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="feedbacks", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="feedbacks")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="feedbacks", db_index=False)
    rating = models.CharField(max_length=16, choices=[("like", "Like"), ("dislike", "Dislike")])
    content = models.TextField(null=True, blank=True)  # noqa: DJ001  null is on the wire
    from_source = models.CharField(max_length=16, default="user", choices=[("user", "End user"), ("admin", "Account")])
    end_user = models.ForeignKey(
        EndUser, on_delete=models.SET_NULL, null=True, blank=True, related_name="feedbacks", db_index=False
    )
    account_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = FeedbackQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "feedback"
        ordering = ("-created_at",)
        constraints = [models.UniqueConstraint(fields=["message", "from_source"], name="one_feedback_per_side")]
        indexes = [models.Index(fields=["app", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.rating} on {self.message_id}"
