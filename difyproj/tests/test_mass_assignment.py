"""No body decides whose a row is, who made it or what somebody may do (B4): the writes of the Service API and the Web API.

The Console API's are in ``test_tenancy_console``.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from asgiref.sync import sync_to_async

from accounts.models import Account, Membership
from difyproj.testing.console import TierClient
from difyproj.testing.served import Served

from . import test_tenancy, test_tenancy_web
from .sweeping import Rows, changes, footprint
from .test_tenancy import filled

WRITES = ("post", "put", "patch", "delete")


def planted(house: Served) -> dict[str, Any]:
    """Columns that a careless serializer would write, with Eve's ids."""
    eve = house.cast.eve
    return {
        "tenant_id": str(eve.tenant.pk), "tenant": str(eve.tenant.pk), "app_id": str(house.foreign.app.pk),
        "id": str(uuid4()), "role": "owner", "is_superuser": True, "created_by": str(eve.account.pk),
        "created_by_id": str(eve.account.pk), "account_id": str(eve.account.pk), "end_user_id": str(uuid4()),
        "status": "deleted", "from_source": "admin", "tier": "console", "is_deleted": True, "hit_count": 99,
    }  # fmt: skip


def assert_nothing_planted(before: Rows, after: Rows, given: dict[str, Any]) -> None:
    """In Acme's rows, new and old ones."""
    foreign = {given[name] for name in ("tenant_id", "app_id", "created_by", "end_user_id")}
    for model, rows in after.items():
        for key, row in rows.items():
            assert key != given["id"], model
            told = f"{model} {key}: {row}"
            assert foreign.isdisjoint(map(str, row.values())), told
            assert row.get("status") != "deleted" and row.get("hit_count") != 99 and row.get("from_source") != "admin", told
            if key not in before[model]:
                assert not row.get("is_deleted") and row.get("tier") != "console", told


async def sweep(house: Served, calls: list[tuple[TierClient, str, str, Any, Any]]) -> None:
    given, alice, eve = planted(house), house.cast.alice.tenant, house.cast.eve.tenant
    before, foreign = await sync_to_async(footprint)(alice), await sync_to_async(footprint)(eve)
    roles = await sync_to_async(lambda: list(Membership.objects.values_list("account_id", "role")))()
    for client, method, path, body, query in calls:
        sent = {**given, **(body or {})}
        answer = await client.call(method.upper(), path, json=sent, params=query)
        assert answer.status < 500, f"{method} {path}: {answer.status} {answer.body[:300]!r}"
        assert given["id"].encode() not in answer.body, f"{method} {path}: {answer.body[:300]!r}"
    assert_nothing_planted(before, await sync_to_async(footprint)(alice), given)
    assert changes(foreign, await sync_to_async(footprint)(eve)) == []
    assert roles == await sync_to_async(lambda: list(Membership.objects.values_list("account_id", "role")))()
    assert not await Account.objects.filter(is_superuser=True).aexists()


async def test_bodies_of_the_service_api_plant_no_columns(house: Served) -> None:
    her = await test_tenancy.alices(house)
    calls = []
    for method, route in test_tenancy.operations():
        entry = test_tenancy.ENTRIES[method, route.path]
        if method in WRITES:
            client = TierClient(house, "", {"Authorization": f"Bearer {her.keys[entry.family].token}"})
            ids = {**her.ids_of(entry.family), **entry.ids}
            calls.append((client, method, route.path.format(**ids), filled(entry.body, ids), filled(entry.query, ids)))
    await sweep(house, calls)


async def test_bodies_of_the_web_api_plant_no_columns(house: Served) -> None:
    visitors = await test_tenancy_web.pages(house)
    ids = await test_tenancy_web.kept(house, visitors)
    calls = []
    for method, route in test_tenancy_web.closed():
        entry = test_tenancy_web.ENTRIES[method, route.path]
        if method in WRITES:
            mine, path = ids[entry.family], route.path.removeprefix("/api")
            calls.append(
                (visitors[entry.family], method, path.format(**mine), filled(entry.body, mine), filled(entry.query, mine))
            )
    await sweep(house, calls)
