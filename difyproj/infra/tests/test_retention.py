"""What is old is forgotten, a thousand at a time, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from difyproj.infra import retention
from difyproj.infra.models import IdempotencyKey
from difyproj.kernel import clock, ids

pytestmark = pytest.mark.usefixtures("house_db")


def key(number: int, hours: float) -> IdempotencyKey:
    created = clock.now() - timedelta(hours=hours)
    return IdempotencyKey(tenant_id=ids.new_id(), scope="app", key=str(number), request_hash="0" * 64, created_at=created)


def test_only_keys_older_than_a_day_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    IdempotencyKey.objects.bulk_create([key(number, 24.1) for number in range(5)] + [key(5, 23.9)])
    assert retention.forget_old_keys() == 5
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["5"]
    assert retention.forget_old_keys() == 0
