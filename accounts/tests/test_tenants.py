"""Tenants and members: one owner, one current tenant, rows seen only by their own tenant."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Account, AccountStatus, DefaultModel, Membership, ModelCredential, Tenant
from accounts.policies import Role
from accounts.services import accounts, credentials, default_models, tenants
from difyproj.kernel.errors import Conflict, DomainError, InvalidParam
from difyproj.testing.cast import Cast


def roles(tenant: Tenant) -> dict[str, str]:
    return dict(Membership.objects.for_tenant(tenant).values_list("account__name", "role"))


def test_a_tenant_starts_with_its_owner_and_a_data_key_of_its_own(cast: Cast) -> None:
    assert roles(cast.eve.tenant) == {"Eve": "owner"}
    assert cast.eve.membership.current
    assert bytes(cast.eve.tenant.data_key) != bytes(cast.alice.tenant.data_key)


def test_a_plan_that_does_not_exist_makes_no_tenant(cast: Cast) -> None:
    with pytest.raises(InvalidParam):
        tenants.create(name="Odd", owner=cast.eve.account, plan="platinum")
    assert Tenant.objects.count() == 2


def test_a_second_tenant_does_not_become_the_current_one(cast: Cast) -> None:
    tenants.create(name="Side business", owner=cast.alice.account)
    assert list(cast.alice.account.memberships.filter(current=True).values_list("tenant__name", flat=True)) == ["Acme"]


def test_nobody_joins_twice_or_as_owner(cast: Cast) -> None:
    with pytest.raises(Conflict):
        tenants.add_member(tenant=cast.alice.tenant, account=cast.bob.account, role="admin")
    with pytest.raises(InvalidParam):
        tenants.add_member(tenant=cast.alice.tenant, account=cast.eve.account, role="owner")
    with pytest.raises(InvalidParam):
        tenants.add_member(tenant=cast.alice.tenant, account=cast.eve.account, role="king")
    assert roles(cast.alice.tenant) == {"Alice": "owner", "Bob": "editor", "Norma": "normal"}


def test_the_database_refuses_a_second_owner_and_a_second_current_tenant(cast: Cast) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(pk=cast.bob.membership.pk).update(role="owner")
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(tenant=cast.eve.tenant, account=cast.bob.account, current=True)


def test_a_member_changes_role_but_the_owner_does_not(cast: Cast) -> None:
    tenants.change_role(membership=cast.norma.membership, role="dataset_operator")
    with pytest.raises(InvalidParam):
        tenants.change_role(membership=cast.alice.membership, role="normal")
    with pytest.raises(InvalidParam):
        tenants.change_role(membership=cast.bob.membership, role="owner")
    assert roles(cast.alice.tenant) == {"Alice": "owner", "Bob": "editor", "Norma": "dataset_operator"}


def test_ownership_moves_to_a_member_and_only_to_a_member(cast: Cast) -> None:
    with pytest.raises(InvalidParam):
        tenants.transfer_ownership(tenant=cast.alice.tenant, to=cast.eve.account)
    tenants.transfer_ownership(tenant=cast.alice.tenant, to=cast.bob.account)
    assert roles(cast.alice.tenant) == {"Alice": "admin", "Bob": "owner", "Norma": "normal"}


def test_of_two_transfers_at_once_one_holds(cast: Cast) -> None:
    """The second waits for the first, and its owner is none any more."""
    ready, told = threading.Barrier(2), []

    def transfer(heir: Account) -> None:
        try:
            ready.wait()
            tenants.transfer_ownership(tenant=cast.alice.tenant, to=heir, by=cast.alice.account)
            told.append("done")
        except DomainError as error:
            told.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=transfer, args=(person.account,)) for person in (cast.bob, cast.norma)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["done", "not_owner"]
    assert sorted(roles(cast.alice.tenant).values()) in (["admin", "editor", "owner"], ["admin", "normal", "owner"])


def test_who_owned_the_tenant_before_hands_it_over_no_more(cast: Cast) -> None:
    tenants.transfer_ownership(tenant=cast.alice.tenant, to=cast.bob.account, by=cast.alice.account)
    with pytest.raises(tenants.NotOwner):
        tenants.transfer_ownership(tenant=cast.alice.tenant, to=cast.norma.account, by=cast.alice.account)
    assert roles(cast.alice.tenant) == {"Alice": "admin", "Bob": "owner", "Norma": "normal"}


@pytest.mark.parametrize("status", [status for status in AccountStatus.values if status != "active"])
def test_nobody_who_cannot_sign_in_becomes_the_owner(cast: Cast, status: str) -> None:
    Account.objects.filter(pk=cast.bob.account.pk).update(status=status)
    with pytest.raises(InvalidParam):
        tenants.transfer_ownership(tenant=cast.alice.tenant, to=cast.bob.account, by=cast.alice.account)
    assert roles(cast.alice.tenant)["Alice"] == "owner"


def test_a_principal_carries_the_capabilities_of_the_role(cast: Cast) -> None:
    assert cast.bob.principal.tenant_id == cast.alice.tenant.pk
    assert cast.bob.principal.can("app.edit")
    assert not cast.norma.principal.can("app.edit")


def test_a_stranger_sees_no_row_of_another_tenant(cast: Cast) -> None:
    credentials.create(tenant=cast.alice.tenant, provider="openai", values={"openai_api_key": "sk-1"})
    default_models.update(tenant=cast.alice.tenant, model_type="llm", provider="openai", model="gpt-4o")
    for rows in (ModelCredential.objects, DefaultModel.objects, Membership.objects, Tenant.objects):
        assert rows.visible_to(cast.alice.principal).exists()
        assert not rows.visible_to(cast.eve.principal).exclude(pk__in=own(cast)).exists()


def own(cast: Cast) -> list[UUID]:
    return [cast.eve.tenant.pk, cast.eve.membership.pk]


def test_a_tenant_takes_its_rows_with_it_and_leaves_the_accounts(cast: Cast) -> None:
    credentials.create(tenant=cast.alice.tenant, provider="openai", values={"openai_api_key": "sk-1"})
    cast.alice.tenant.delete()
    assert not ModelCredential.objects.exists()
    assert set(Membership.objects.values_list("role", flat=True)) == {Role.OWNER}
    assert Account.objects.count() == 4


def test_a_default_model_is_replaced_not_added(cast: Cast) -> None:
    default_models.update(tenant=cast.alice.tenant, model_type="llm", provider="openai", model="gpt-4o")
    default_models.update(tenant=cast.alice.tenant, model_type="llm", provider="demo", model="demo-chat")
    chosen = default_models.get(cast.alice.tenant, "llm")
    assert chosen is not None and (chosen.provider, chosen.model) == ("demo", "demo-chat")
    assert default_models.get(cast.alice.tenant, "rerank") is None
    assert default_models.get(cast.eve.tenant, "llm") is None
    with pytest.raises(InvalidParam):
        default_models.update(tenant=cast.alice.tenant, model_type="video", provider="demo", model="x")


def test_an_account_may_own_a_tenant_and_edit_another(cast: Cast) -> None:
    account = accounts.create(email="zoe@acme.example", name="Zoe")
    tenants.create(name="Zoe's", owner=account)
    tenants.add_member(tenant=cast.alice.tenant, account=account, role="editor", invited_by=cast.alice.account)
    assert set(account.memberships.values_list("role", "current")) == {("owner", True), ("editor", False)}
