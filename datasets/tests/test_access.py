"""Who of a tenant sees and changes which dataset."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.policies import Role
from accounts.services import accounts, tenants
from datasets.models import Dataset, DatasetMember, Document, ExternalKnowledgeApi, Permission
from datasets.services import access, datasets, described, external_apis, members
from datasets.services.refusals import DatasetNotFound
from datasets.tests.knowledge import make_dataset, make_document
from difyproj.kernel import secrets
from difyproj.kernel.errors import Forbidden, InvalidParam
from difyproj.testing.cast import Cast, Person


def hire(owner: Person, role: Role) -> Person:
    account = accounts.create(email=f"{role}@acme.example", name=f"New {role}")
    membership = tenants.add_member(tenant=owner.tenant, account=account, role=role, invited_by=owner.account)
    return Person(account, owner.tenant, membership)


def make(person: Person, permission: str = Permission.ONLY_ME, *chosen: Person) -> Dataset:
    return datasets.create(
        principal=person.principal, name=f"{person.account.name} {permission} {len(chosen)}", permission=permission,
        partial_member_list=[one.account.pk for one in chosen],
    )  # fmt: skip


def seen(person: Person) -> set[str]:
    return set(access.visible_to(person.principal).values_list("name", flat=True))


def test_a_dataset_is_for_its_maker_for_all_or_for_chosen_members(cast: Cast) -> None:
    alice, bob, norma = cast.alice, cast.bob, cast.norma
    own, shared, chosen = make(bob), make(alice, Permission.ALL), make(alice, Permission.PARTIAL, norma)
    hidden = make(alice)
    assert seen(bob) == {own.name, shared.name}
    assert seen(norma) == {shared.name, chosen.name}
    assert seen(alice) == {own.name, shared.name, chosen.name, hidden.name}
    assert seen(cast.eve) == set()
    for person, row in ((bob, hidden), (norma, own), (cast.eve, shared)):
        with pytest.raises(DatasetNotFound):
            access.get(person.principal, row.pk)


def test_the_owners_list_has_what_others_keep_for_themselves_only_on_request(cast: Cast) -> None:
    own, others = make(cast.alice), make(cast.bob)
    listed = [described.page(cast.alice.principal, page=1, limit=20, include_all=all_) for all_ in (False, True)]
    assert [{row.name for row in page.rows} for page in listed] == [{own.name}, {own.name, others.name}]


def test_who_only_looks_changes_nothing(cast: Cast) -> None:
    row = make(cast.alice, Permission.ALL)
    with pytest.raises(Forbidden):
        datasets.update(principal=cast.norma.principal, dataset=row, name="Mine")
    with pytest.raises(Forbidden):
        make(cast.norma)
    with pytest.raises(Forbidden):
        datasets.delete(principal=cast.norma.principal, dataset=row)
    row.refresh_from_db()
    assert row.name != "Mine"


def test_an_operator_fills_datasets_and_shares_none(cast: Cast) -> None:
    operator = hire(cast.alice, Role.DATASET_OPERATOR)
    row = make(cast.alice, Permission.PARTIAL, operator)
    datasets.update(principal=operator.principal, dataset=row, description="Filled.")
    changes: list[dict[str, Any]] = [{"permission": Permission.ALL}, {"partial_member_list": []}]
    for change in changes:
        with pytest.raises(Forbidden):
            datasets.update(principal=operator.principal, dataset=row, **change)
    row.refresh_from_db()
    assert (row.description, row.permission, members.chosen(row)) == ("Filled.", Permission.PARTIAL, [operator.account.pk])


def test_only_members_of_the_workspace_are_chosen(cast: Cast) -> None:
    row = make(cast.alice, Permission.PARTIAL, cast.bob)
    with pytest.raises(InvalidParam):
        datasets.update(principal=cast.alice.principal, dataset=row, partial_member_list=[cast.eve.account.pk])
    datasets.update(principal=cast.alice.principal, dataset=row, partial_member_list=[cast.norma.account.pk])
    chosen = DatasetMember.objects.filter(dataset=row).values_list("account_id", flat=True)
    assert list(chosen) == [cast.norma.account.pk]


def test_the_key_of_an_external_knowledge_api_is_sealed_and_stays_with_its_address(cast: Cast) -> None:
    principal = cast.alice.principal
    row = external_apis.create(principal=principal, name="Wiki", endpoint="https://a.example/x/", api_key="sk-0123456789abc")
    assert "0123456789" not in row.sealed_key and external_apis.opened_key(row) == "sk-0123456789abc"
    kept = external_apis.update(
        principal=principal, row=row, name="Wiki 2", api_key=secrets.mask("sk-0123456789abc"), endpoint="https://a.example/y"
    )
    assert (kept.endpoint, external_apis.opened_key(kept)) == ("https://a.example/y", "sk-0123456789abc")
    with pytest.raises(InvalidParam):
        external_apis.update(principal=principal, row=row, endpoint="https://evil.example")
    with pytest.raises(InvalidParam):
        external_apis.create(principal=principal, name="x", endpoint="file:///etc/passwd", api_key="x")
    external: dict[str, Any] = {"provider": "external", "external_knowledge_api_id": row.pk, "external_knowledge_id": "k1"}
    datasets.create(principal=principal, name="Outside", **external)
    with pytest.raises(external_apis.ExternalApiInUse):
        external_apis.delete(principal=principal, row=row)
    with pytest.raises(external_apis.ExternalApiNotFound):
        external_apis.get(cast.eve.principal, row.pk)


def test_an_external_api_names_only_the_datasets_that_the_asker_may_see(cast: Cast) -> None:
    alice, bob = cast.alice.principal, cast.bob.principal
    api = external_apis.create(principal=alice, name="Wiki", endpoint="https://a.example", api_key="")
    for name, permission in (("Salaries", Permission.ONLY_ME), ("Holidays", Permission.ALL)):
        datasets.create(
            principal=alice, name=name, permission=permission, provider="external", external_knowledge_api_id=api.pk,
            external_knowledge_id="k",
        )  # fmt: skip
    changed = external_apis.update(principal=bob, row=api, description="Ours")
    for row in (external_apis.get(bob, api.pk), *external_apis.rows(bob), changed):
        assert [one.name for one in row.datasets.all()] == ["Holidays"]
    assert external_apis.get(alice, api.pk).datasets.count() == 2


def test_a_workspace_takes_its_knowledge_with_it(cast: Cast) -> None:
    principal = cast.alice.principal
    api = external_apis.create(principal=principal, name="Far", endpoint="https://knowledge.example", api_key="sk-0123456789")
    datasets.create(
        principal=principal, name="Far", provider="external", external_knowledge_api_id=api.pk, external_knowledge_id="k"
    )
    make_document(make_dataset(cast.alice.tenant), "Refunds need a receipt.")
    cast.alice.tenant.delete()
    assert not Dataset.objects.exists() and not ExternalKnowledgeApi.objects.exists() and not Document.objects.exists()
