"""Rows of the house itself: processes, jobs, mail, idempotency keys, audit, cache versions. Tenants are plain UUIDs here."""

from .audit import AuditEntry
from .cache_version import CacheVersion
from .idempotency import IdempotencyKey
from .job import Job
from .mail import OutgoingMail
from .process import Process

__all__ = ["AuditEntry", "CacheVersion", "IdempotencyKey", "Job", "OutgoingMail", "Process"]
