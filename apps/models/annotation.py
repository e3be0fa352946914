"""Annotation: an answer that people wrote for a question; AnnotationHit: that it was given instead of a model's."""

from __future__ import annotations

from django.db import models

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App
from .conversation import Conversation, Message


class AnnotationQuerySet(TenantQuerySet["Annotation"]):
    app_lookup = "app_id"


class Annotation(models.Model):
    """``message`` is set where a logged answer was corrected; it then has at most this one."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="annotations", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.SET_NULL, null=True, blank=True, related_name="annotations")
    message = models.OneToOneField(Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="annotation")
    question = models.TextField()
    content = models.TextField(help_text="The answer.")
    hit_count = models.PositiveIntegerField(default=0)
    account_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=["app", "-created_at"])]

    def __str__(self) -> str:
        return self.question[:60]


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
