"""CacheVersion: counts the invalidations of one cache namespace, so that every process sees them."""

from __future__ import annotations

from django.db import models


class CacheVersion(models.Model):
    namespace = models.CharField(max_length=64, primary_key=True)
    version = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.namespace} {self.version}"
