"""Process: one row per running process of the product, kept alive by its heartbeat."""

from __future__ import annotations

from django.db import models

from difyproj.kernel import clock, ids


class Process(models.Model):
    """``host`` and ``pid`` with ``started_ticks`` name one process of one machine, also when its pid is used again."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    host = models.CharField(max_length=255, help_text="Machine and pid namespace.")
    pid = models.PositiveIntegerField()
    started_ticks = models.BigIntegerField(default=0, help_text="Clock ticks from boot to start; 0 where unknown.")
    role = models.CharField(max_length=32)
    version = models.CharField(max_length=64, blank=True, default="")
    started_at = models.DateTimeField(default=clock.now, editable=False)
    heartbeat_at = models.DateTimeField(default=clock.now, db_index=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.UUIDField(null=True, blank=True, help_text="The process that looks after what this one left.")
    claimed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.role} {self.host} {self.pid}"
