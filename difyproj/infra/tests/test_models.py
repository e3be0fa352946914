"""The house's own rows hold what they promise."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import IntegrityError

from difyproj.infra.models import AuditEntry, IdempotencyKey
from difyproj.infra.models.audit import AppendOnly

pytestmark = pytest.mark.usefixtures("house_db")


def test_an_idempotency_key_exists_once_in_its_scope() -> None:
    tenant = uuid4()
    IdempotencyKey.objects.create(tenant_id=tenant, scope="app", key="k", request_hash="0" * 64)
    IdempotencyKey.objects.create(tenant_id=tenant, scope="another", key="k", request_hash="0" * 64)
    with pytest.raises(IntegrityError):
        IdempotencyKey.objects.create(tenant_id=tenant, scope="app", key="k", request_hash="1" * 64)


def test_an_idempotency_key_keeps_an_answer_with_ids_in_it() -> None:
    run = uuid4()
    row = IdempotencyKey.objects.create(
        tenant_id=uuid4(), scope="app", key="k", request_hash="0" * 64, state="done", response_body={"id": run}
    )
    row.refresh_from_db()
    assert row.response_body == {"id": str(run)}


def test_audit_entries_are_only_ever_added() -> None:
    entry = AuditEntry.objects.create(actor_kind="account", action="app.rename", target_kind="app", after={"name": "new"})
    entry.action = "nothing happened"
    with pytest.raises(AppendOnly):
        entry.save()
    with pytest.raises(AppendOnly):
        entry.delete()
    with pytest.raises(AppendOnly):
        AuditEntry.objects.filter(pk=entry.pk).update(action="nothing happened")
    with pytest.raises(AppendOnly):
        AuditEntry.objects.all().delete()
    assert AuditEntry.objects.get().action == "app.rename"
