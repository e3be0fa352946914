"""What a visitor of a published page keeps: answers they saved, conversations they pinned."""

from __future__ import annotations

from django.db import models

from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App
from .conversation import Conversation, Message
from .end_user import EndUser


class SavedMessageQuerySet(TenantQuerySet["SavedMessage"]):
    tenant_lookup = "app__tenant_id"
    app_lookup = "app_id"


class SavedMessage(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="+", db_index=False)
    end_user = models.ForeignKey(EndUser, on_delete=models.CASCADE, related_name="saved_messages", db_index=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = SavedMessageQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [models.UniqueConstraint(fields=["message", "end_user"], name="message_saved_once")]
        indexes = [models.Index(fields=["end_user", "-created_at"])]

    def __str__(self) -> str:
        return str(self.message_id)


class PinnedConversationQuerySet(TenantQuerySet["PinnedConversation"]):
    tenant_lookup = "app__tenant_id"
    app_lookup = "app_id"


class PinnedConversation(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="+", db_index=False)
    end_user = models.ForeignKey(EndUser, on_delete=models.CASCADE, related_name="pins", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="pins", db_index=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = PinnedConversationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [models.UniqueConstraint(fields=["conversation", "end_user"], name="conversation_pinned_once")]
        indexes = [models.Index(fields=["end_user", "-created_at"])]

    def __str__(self) -> str:
        return str(self.conversation_id)
