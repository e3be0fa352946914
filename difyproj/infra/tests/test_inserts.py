"""Writes with prepared SQL do what the ORM's do."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from difyproj.infra.inserts import insert, update
from difyproj.infra.models import CacheVersion, IdempotencyKey
from difyproj.kernel import clock

pytestmark = pytest.mark.usefixtures("house_db")


def test_rows_of_several_tables_go_in_together_with_all_their_values() -> None:
    body = {"text": '50 % of %s; it\'s "quoted"', "id": 1}
    key = IdempotencyKey(
        tenant_id=uuid4(), scope="app", key="k", request_hash="0" * 64, response_body=body, locked_until=clock.now()
    )
    insert(CacheVersion(namespace="a;b", version=3), key, CacheVersion(namespace="c", version=4))
    assert dict(CacheVersion.objects.values_list("namespace", "version")) == {"a;b": 3, "c": 4}
    kept = IdempotencyKey.objects.get()
    assert (kept.pk, kept.tenant_id, kept.response_body, kept.locked_until) == (key.pk, key.tenant_id, body, key.locked_until)
    key.scope = "changed"
    key.save()
    assert IdempotencyKey.objects.get().scope == "changed"


def test_when_one_row_is_refused_none_is_kept() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(CacheVersion(namespace="a"), CacheVersion(namespace="b"), CacheVersion(namespace="a"))
    assert not CacheVersion.objects.exists()


def test_an_update_meets_its_row_only_while_the_conditions_hold() -> None:
    insert(CacheVersion(namespace="a", version=1), CacheVersion(namespace="b", version=1))
    assert update(CacheVersion, "a", {"version": 2}, version=1) == 1
    assert update(CacheVersion, "a", {"version": 3}, version=1) == 0
    assert update(CacheVersion, "nobody", {"version": 3}) == 0
    assert dict(CacheVersion.objects.values_list("namespace", "version")) == {"a": 2, "b": 1}
