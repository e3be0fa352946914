"""Rows of the house itself: processes, idempotency keys, the audit trail, cache versions. Tenants are plain UUIDs here."""

from .audit import AuditEntry
from .cache_version import CacheVersion
from .idempotency import IdempotencyKey
from .process import Process

__all__ = ["AuditEntry", "CacheVersion", "IdempotencyKey", "Process"]
