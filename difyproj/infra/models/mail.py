"""OutgoingMail: a message until it is sent; sealed, since it may hold a one-time code."""

from __future__ import annotations

from django.db import models

from difyproj.kernel import clock, ids


class OutgoingMail(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant_id = models.UUIDField(null=True, blank=True)
    sealed = models.BinaryField(help_text="Recipient, subject and text, sealed with the instance key.")
    created_at = models.DateTimeField(default=clock.now, editable=False, db_index=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return str(self.pk)
