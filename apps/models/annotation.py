"""Annotation: an answer that people wrote for a question; AnnotationReply: that an app gives them to questions that mean the
same; AnnotationHit: that one was given instead of a model's."""

from __future__ import annotations

from django.db import models

from accounts.models import Tenant
from accounts.models.rows import TenantRow
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App
from .conversation import Conversation, Message


class AnnotationQuerySet(TenantQuerySet["Annotation"]):
    app_lookup = "app_id"


class Annotation(models.Model):
    """``message`` is set where a logged answer was corrected; it then has at most this one. ``indexed`` is the hash of the
    question that the app's index holds."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="annotations", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.SET_NULL, null=True, blank=True, related_name="annotations")
    message = models.OneToOneField(Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="annotation")
    question = models.TextField()
    content = models.TextField(help_text="The answer.")
    hit_count = models.PositiveIntegerField(default=0)
    account_id = models.UUIDField(null=True, blank=True)
    indexed = models.CharField(max_length=64, blank=True, default="", editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=["app", "-created_at"])]

    def __str__(self) -> str:
        return self.question[:60]


class AnnotationReplyRows(TenantQuerySet["AnnotationReply"]):
    app_lookup = "app_id"


class AnnotationReply(TenantRow):
    """``wanted`` is what people chose last, ``enabled`` that the index is there and answers. The index is the app's own: its
    entries are annotations, ``generation`` grows with each other embedding model."""

    app = models.OneToOneField(App, on_delete=models.CASCADE, related_name="annotation_reply")
    wanted = models.BooleanField(default=True)
    enabled = models.BooleanField(default=False)
    score_threshold = models.FloatField(default=1.0)
    provider = models.CharField(max_length=255)
    model = models.CharField(max_length=255)
    store = models.CharField(max_length=32, default="", blank=True)
    generation = models.PositiveIntegerField(default=1)
    dimensions = models.PositiveIntegerField(default=0)
    account_id = models.UUIDField(null=True, blank=True)

    objects = AnnotationReplyRows.as_manager()

    class Meta:
        ordering = ["created_at"]
        verbose_name_plural = "annotation replies"

    def __str__(self) -> str:
        return f"{self.app_id} by {self.model}"


class AnnotationHitQuerySet(TenantQuerySet["AnnotationHit"]):
    app_lookup = "app_id"


class AnnotationHit(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="+", db_index=False)
    annotation = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="hits", db_index=False)
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    question = models.TextField(help_text="What was asked.")
    source = models.CharField(max_length=16, help_text="The tier it was asked through.")
    score = models.FloatField(default=0.0)
    annotation_question = models.TextField(help_text="The annotation as it was then.")
    annotation_content = models.TextField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = AnnotationHitQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=["annotation", "-created_at"])]

    def __str__(self) -> str:
        return self.question[:60]
