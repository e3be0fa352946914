"""The sweeps over the Console API: strangers, lower roles, other credentials, planted columns and forged requests.

The rows come from the URL table and the role table: a route without an entry, or an action without a capability, fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from asgiref.sync import sync_to_async

from accounts.models import Account, Membership
from accounts.policies import Role, allows
from accounts.services import sessions
from difyproj.testing.browser import Browser
from difyproj.testing.cast import Person
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Served
from difyproj.tiers.console import ANY_MEMBER, ConsoleViewSet

from . import acme, acme_flows, bearers
from .console_app_entries import ENTRIES
from .sweeping import Entry, Operation, call, changes, footprint, names_in, operations, tenant_models, told

PREFIX = "/console/api"
DOCUMENTS = {f"{PREFIX}/openapi.json", f"{PREFIX}/docs", f"{PREFIX}/redoc"}
OFF = Entry({}, status=403, allowed=frozenset({200, 403}), crossed=frozenset({200, 403}))
WRITES = ("post", "put", "patch", "delete")


def served() -> list[Operation]:
    """Every operation of the tier but its own description."""
    return [operation for operation in operations("console/api/") if operation.route.path not in DOCUMENTS]


def is_off(operation: Operation) -> bool:
    """Whether the route only says that a feature is off here."""
    return operation.route.view is not None and operation.route.view.__name__ == "FeatureOff"


def listed() -> list[tuple[Operation, Entry]]:
    """The operations with their entries, in the order of the table; before them those that say that a feature is off."""
    every = {operation.name: operation for operation in served()}
    off = [(operation, OFF) for operation in every.values() if is_off(operation)]
    return off + [(every[name], entry) for name, entry in ENTRIES.items() if name in every]


def guarded(*, off: bool = True) -> Iterator[tuple[Operation, Entry]]:
    """Those that ask who is calling, with or without what is off."""
    for operation, entry in listed():
        if issubclass(operation.route.view, ConsoleViewSet) and (off or not is_off(operation)):
            yield operation, entry


def capability(operation: Operation) -> str | None:
    return operation.route.view.needs.get(operation.action)


async def ids_of(house: Served) -> dict[str, str]:
    ids = await acme.furnish(house)
    remote = f"{house.upstream.url}/picture.png"
    return {**acme.NAMES, **ids, "private_model": acme.OTHER_MODEL, "upstream": house.upstream.url, "remote_url": remote,
            "url": remote.replace("/", "%2F")}  # fmt: skip


def keys_of(ids: dict[str, str]) -> set[str]:
    """The ids that nobody else should ever read."""
    return {value for name, value in ids.items() if name.endswith(("_id", "_token")) and name not in acme.NAMES}


def test_every_route_has_an_entry_and_every_entry_a_route() -> None:
    known = {operation.name for operation in served() if not is_off(operation)}
    assert sorted(known ^ set(ENTRIES)) == []


def test_every_action_of_a_signed_in_route_names_what_it_needs() -> None:
    nameless = [
        str(operation)
        for operation in served()
        if issubclass(operation.route.view, ConsoleViewSet) and capability(operation) is None
    ]
    assert nameless == []


def test_the_footprint_holds_every_model_of_a_tenant() -> None:
    names = {model.__name__ for model in tenant_models()}
    assert {"App", "Message", "ModelCredential", "Membership", "Tag", "Annotation", "SavedMessage", "Tenant", "Job"} <= names


async def test_a_stranger_reaches_nothing_by_any_id(house: Served) -> None:
    """Eve, who may do everything at home; then others of her tenant, who may do less."""
    ids, wrong = await ids_of(house), []
    others = [await sync_to_async(acme.hire)(house.cast.eve, role) for role in (Role.EDITOR, Role.NORMAL)]
    before = await sync_to_async(footprint)(house.cast.alice.tenant)
    for stranger in (house.cast.eve, *others):
        refused = set() if stranger is house.cast.eve else {400, 403}
        for operation, entry in listed() if stranger is house.cast.eve else guarded(off=False):
            answer = await call(await signed_in(house, stranger), operation, entry, ids)
            if answer.status not in entry.allowed | refused or leaks(answer.body, keys_of(ids)):
                wrong.append(f"{stranger.membership.role}: {told(operation, answer)}")
    assert not wrong, "\n".join(wrong)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []


async def test_a_stranger_with_an_app_of_their_own_reaches_nothing_beside_it(house: Served) -> None:
    eves = dict.fromkeys(("app_id", "completion_app_id"), str(house.foreign.app.pk))
    eves |= await sync_to_async(acme_flows.eves)(house)
    ids = {**await ids_of(house), **eves}
    before = await sync_to_async(footprint)(house.cast.alice.tenant)
    own, wrong = {*eves, *acme.NAMES}, []
    for operation, entry in listed():
        named = {*operation.route.parameters, *names_in(entry.body), *names_in(entry.query)} - own
        if "app_id" not in operation.route.parameters or not named:
            continue
        answer = await call(await signed_in(house, house.cast.eve), operation, entry, ids)
        if answer.status not in entry.crossed or leaks(answer.body, keys_of(ids) - set(eves.values())):
            wrong.append(told(operation, answer))
    assert not wrong, "\n".join(wrong)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []


def leaks(body: bytes, keys: set[str]) -> bool:
    return acme.SECRET.encode() in body or any(key.encode() in body for key in keys)


async def test_a_role_does_what_it_may_and_nothing_else(house: Served) -> None:
    ids, wrong = await ids_of(house), []
    dora = await sync_to_async(acme.hire)(house.cast.alice, Role.DATASET_OPERATOR)
    before = await sync_to_async(footprint)(house.cast.alice.tenant)
    crew = ((house.cast.norma, Role.NORMAL), (dora, Role.DATASET_OPERATOR), (house.cast.bob, Role.EDITOR))
    for person, role in crew:
        client = await signed_in(house, person)
        for operation, entry in guarded():
            if not may(role, operation):
                answer = await call(client, operation, entry, ids)
                if answer.status != 403 or b'"code":"forbidden"' not in answer.body:
                    wrong.append(f"{role}: {told(operation, answer)}")
    assert not wrong, "\n".join(wrong)
    after = await sync_to_async(footprint)(house.cast.alice.tenant)
    assert changes(before, {**after, "Session": before["Session"]}) == []
    for person, role in crew:
        for operation, entry in guarded(off=False):
            if may(role, operation):
                answer = await call(await signed_in(house, person), operation, entry, ids)
                if answer.status >= 500:
                    wrong.append(f"{role}: {told(operation, answer)}")
    assert not wrong, "\n".join(wrong)


def may(role: Role, operation: Operation) -> bool:
    needed = capability(operation)
    assert needed is not None, operation
    return needed == ANY_MEMBER or allows(role, needed)


async def test_no_other_credential_opens_the_tier(house: Served) -> None:
    ids, wrong = await ids_of(house), []
    given = await sync_to_async(bearers.of)(house.cast.alice, house.chat)
    before = await sync_to_async(footprint)(house.cast.alice.tenant)
    for name, bearer in given.items():
        if name == bearers.CONSOLE:
            continue
        client = TierClient(house, PREFIX, {"Authorization": f"Bearer {bearer}" if bearer else ""})
        for operation, entry in guarded():
            answer = await call(client, operation, entry, ids)
            if answer.status != 401 or b'"code":"unauthorized"' not in answer.body:
                wrong.append(f"{name}: {told(operation, answer)}")
    assert not wrong, "\n".join(wrong)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []


async def test_a_body_cannot_plant_columns(house: Served) -> None:
    """As the owner, who may do everything: whose a row is, who somebody is and who made what never comes from a body."""
    ids, wrong = await ids_of(house), []
    eve = house.cast.eve
    planted: dict[str, Any] = {
        "tenant_id": str(eve.tenant.pk), "tenant": str(eve.tenant.pk), "id": str(uuid4()), "role": "owner",
        "is_superuser": True, "is_staff": True, "created_by": str(eve.account.pk), "created_by_id": str(eve.account.pk),
        "status": "banned", "account_id": str(eve.account.pk),
    }  # fmt: skip
    foreign = await sync_to_async(footprint)(eve.tenant)
    for operation, entry in listed():
        if operation.method not in WRITES or not (isinstance(entry.body, dict) or entry.file):
            continue
        named = set(entry.body or ())
        extra = {name: value for name, value in planted.items() if name not in named}
        answer = await call(await signed_in(house, house.cast.alice), operation, entry, ids, extra)
        if answer.status not in ({200, 403} if is_off(operation) else {entry.status}) or leaks(answer.body, {planted["id"]}):
            wrong.append(f"expected {entry.status}: {told(operation, answer)}")
    assert not wrong, "\n".join(wrong)
    assert changes(foreign, await sync_to_async(footprint)(eve.tenant)) == []
    await sync_to_async(assert_nothing_planted)(house, planted)


def assert_nothing_planted(house: Served, planted: dict[str, Any]) -> None:
    acme_rows = footprint(house.cast.alice.tenant)
    for model, rows in acme_rows.items():
        for key, row in rows.items():
            assert str(row.get("id")) != planted["id"], f"{model} {key}"
            makers = {str(row.get(name)) for name in ("created_by_id", "account_id", "invited_by_id")}
            assert planted["created_by_id"] not in makers, f"{model} {key}"
            assert row.get("status") != "banned", f"{model} {key}"
    assert not Account.objects.filter(is_superuser=True).exists()
    assert not Account.objects.filter(is_staff=True).exists()
    owners = Membership.objects.filter(role=Role.OWNER).values_list("tenant_id", "account_id")
    assert set(owners) == {(who.tenant.pk, who.account.pk) for who in (house.cast.alice, house.cast.eve)}


async def browser_of(house: Served, person: Person) -> tuple[Browser, str]:
    made = await sync_to_async(sessions.open)(person.account, method="test")
    return Browser(house, PREFIX, {"access_token": made.access, "csrf_token": made.csrf}), made.csrf


async def test_cookies_alone_write_nothing(house: Served) -> None:
    ids, wrong = await ids_of(house), []
    alice, csrf = await browser_of(house, house.cast.alice)
    _, eves = await browser_of(house, house.cast.eve)
    before = await sync_to_async(footprint)(house.cast.alice.tenant)
    cookie = "; ".join(f"{name}={value}" for name, value in alice.cookies.items())
    swapped = cookie.replace(csrf, eves)
    for operation, entry in guarded():
        if operation.method not in WRITES:
            continue
        for sent in (
            {"Cookie": cookie},
            {"Cookie": cookie, "X-CSRF-Token": "wrong"},
            {"Cookie": cookie, "X-CSRF-Token": eves},
            {"Cookie": swapped, "X-CSRF-Token": eves},
        ):
            answer = await call(TierClient(house, PREFIX, {"Authorization": "", **sent}), operation, entry, ids)
            if answer.status != 401:
                wrong.append(told(operation, answer))
    assert not wrong, "\n".join(wrong)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []
