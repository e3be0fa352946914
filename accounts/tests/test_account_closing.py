"""Nobody is left behind: what stands against an account's end is looked at when it ends, whoever acts at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from accounts.models import Account, AccountStatus, Membership, Tenant
from accounts.services import account_closing, accounts, tenants
from accounts.services.account_closing import StillNeeded
from difyproj.kernel.errors import Conflict, DomainError
from difyproj.testing.cast import Cast


def _thread(work: Callable[[], object], told: list[str]) -> threading.Thread:
    def run() -> None:
        try:
            work()
            told.append("done")
        except DomainError as error:
            told.append(error.code)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _operator(name: str) -> Account:
    return accounts.create(email=f"{name}@house.example", name=name, is_staff=True, is_superuser=True)


def test_who_joins_after_the_first_check_keeps_the_owner(cast: Cast) -> None:
    account_closing.demand_unneeded(cast.eve.account)
    tenants.add_member(tenant=cast.eve.tenant, account=cast.norma.account, role="admin")
    with pytest.raises(StillNeeded):
        account_closing.close(cast.eve.account)
    assert Tenant.objects.get(pk=cast.eve.tenant.pk).status == "normal"
    assert Account.objects.get(pk=cast.eve.account.pk).status == AccountStatus.ACTIVE


def test_who_is_joining_at_this_moment_keeps_the_owner(cast: Cast) -> None:
    """The member's row is written and not yet committed when the owner's account is about to close."""
    joined, closing, told = threading.Event(), threading.Event(), list[str]()

    def join() -> None:
        with transaction.atomic():
            tenants.add_member(tenant=cast.eve.tenant, account=cast.norma.account, role="admin")
            joined.set()
            closing.wait()

    def close() -> None:
        joined.wait()
        closing.set()
        account_closing.close(cast.eve.account)

    threads = [_thread(join, told), _thread(close, told)]
    for thread in threads:
        thread.join()
    assert sorted(told) == ["account_still_needed", "done"]
    assert Tenant.objects.get(pk=cast.eve.tenant.pk).status == "normal"


def test_nobody_joins_a_workspace_that_was_archived(cast: Cast) -> None:
    account_closing.close(cast.eve.account)
    with pytest.raises(Conflict):
        tenants.add_member(tenant=cast.eve.tenant, account=cast.norma.account, role="admin")
    assert not Membership.objects.filter(tenant=cast.eve.tenant, account=cast.norma.account).exists()


def test_of_two_operators_who_leave_at_once_one_stays(cast: Cast) -> None:
    operators, ready, told = [_operator("first"), _operator("second")], threading.Barrier(2), list[str]()

    def leave(operator: Account) -> Callable[[], object]:
        def work() -> None:
            account_closing.demand_unneeded(operator)
            ready.wait()
            account_closing.close(operator)

        return work

    threads = [_thread(leave(operator), told) for operator in operators]
    for thread in threads:
        thread.join()
    assert sorted(told) == ["account_still_needed", "done"]
    assert Account.objects.filter(is_superuser=True, status=AccountStatus.ACTIVE).count() == 1
