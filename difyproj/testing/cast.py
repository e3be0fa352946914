"""The cast: Alice owns Acme, Bob edits and Norma uses its apps; Eve owns Evil Corp and has no business in Acme."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Account, Membership, Tenant
from accounts.policies import Role
from accounts.services import accounts, tenants
from difyproj.kernel.principal import Principal

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Person:
    account: Account
    tenant: Tenant
    membership: Membership

    @property
    def principal(self) -> Principal:
        return tenants.principal(self.membership)


@dataclass(frozen=True, slots=True)
class Cast:
    alice: Person
    bob: Person
    norma: Person
    eve: Person


def raise_curtain() -> Cast:
    """Everyone, made by the services that make real people; all have ``PASSWORD``."""
    alice = _owner("Alice", "alice@acme.example", "Acme")
    return Cast(
        alice=alice,
        bob=_member("Bob", "bob@acme.example", alice, Role.EDITOR),
        norma=_member("Norma", "norma@acme.example", alice, Role.NORMAL),
        eve=_owner("Eve", "eve@evil.example", "Evil Corp"),
    )


def _owner(name: str, email: str, tenant_name: str) -> Person:
    account = accounts.create(email=email, name=name, password=PASSWORD)
    tenant = tenants.create(name=tenant_name, owner=account)
    return Person(account, tenant, Membership.objects.get(tenant=tenant, account=account))


def _member(name: str, email: str, owner: Person, role: Role) -> Person:
    account = accounts.create(email=email, name=name, password=PASSWORD)
    membership = tenants.add_member(tenant=owner.tenant, account=account, role=role, invited_by=owner.account)
    return Person(account, owner.tenant, membership)
