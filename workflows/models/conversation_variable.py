"""ConversationVariable: what a chatflow remembers between the questions of one conversation."""

from __future__ import annotations

from django.db import models

from apps.models import Conversation
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class ConversationVariableQuerySet(TenantQuerySet["ConversationVariable"]):
    tenant_lookup = "conversation__tenant_id"
    app_lookup = "conversation__app_id"


class ConversationVariable(models.Model):
    """``variable_id`` is the variable's id in the workflow that the conversation began with."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="variables", db_index=False)
    variable_id = models.UUIDField()
    name = models.CharField(max_length=255)
    value_type = models.CharField(max_length=32)
    value = models.JSONField(null=True, blank=True)
    description = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now)

    objects = ConversationVariableQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")
        constraints = [models.UniqueConstraint(fields=["conversation", "name"], name="conversation_variable_once")]

    def __str__(self) -> str:
        return self.name
