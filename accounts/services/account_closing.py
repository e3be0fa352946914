"""An account's end: by a code to its own address. What it was for others stays, who it was goes."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import Q

from accounts.models import Account, AccountStatus, Challenge, Membership, Purpose, Tenant, TenantStatus
from accounts.policies import Role
from accounts.services import challenges, refusals, sessions
from difyproj.infra import limits
from difyproj.infra.models import AuditEntry
from difyproj.kernel.errors import Conflict, TooManyRequests

PURPOSE: Final = Purpose.DELETE_ACCOUNT
FEEDBACK_RATE: Final = "5/h"


class StillNeeded(Conflict):
    """Somebody else would be left behind."""

    code, status = "account_still_needed", 400


def send(account: Account, *, ip: str | None) -> str:
    language = account.interface_language
    return challenges.send(PURPOSE, email=account.email, language=language, ip=ip, account=account)


def finish(account: Account, *, code: str, token: str) -> None:
    """Closes the account. Raises InvalidToken, WrongCode and StillNeeded, the last before the code is spent if it can."""
    row = challenges.look(token, PURPOSE)
    if row is None or row.account_id != account.pk:
        raise refusals.InvalidToken
    demand_unneeded(account)
    challenges.redeem(token, PURPOSE, code=code)
    close(account)


def demand_unneeded(account: Account) -> None:
    """Raises StillNeeded for the owner of a workspace with other members, and for the only operator."""
    owned = Membership.objects.filter(account=account, role=Role.OWNER, tenant__status=TenantStatus.NORMAL)
    if Membership.objects.filter(tenant__in=owned.values("tenant")).exclude(account=account).exists():
        raise StillNeeded("Please transfer the ownership of your workspaces, or remove their other members, first.")
    others = Account.objects.filter(is_superuser=True, status=AccountStatus.ACTIVE).exclude(pk=account.pk)
    if account.is_superuser and not others.exists():
        raise StillNeeded("The only operator of the installation cannot be deleted.")


@transaction.atomic
def close(account: Account) -> None:
    """Signs out everywhere, leaves every workspace, archives those that were the account's alone, and forgets the person.

    Raises StillNeeded: nobody joins the workspaces, and no other operator closes their account, between the check and the end.
    """
    alone = list(Tenant.objects.select_for_update().filter(pk__in=_owned(account)).order_by("pk"))
    wanted = Q(pk=account.pk) | Q(is_superuser=True)
    row = next(row for row in Account.objects.select_for_update().filter(wanted).order_by("pk") if row.pk == account.pk)
    if set(_owned(row)) != {tenant.pk for tenant in alone}:
        raise StillNeeded("Your workspaces have just changed. Please try again.")
    demand_unneeded(row)
    for tenant in alone:
        tenant.status = TenantStatus.ARCHIVED
        tenant.save(update_fields=["status", "updated_at"])
    for membership in Membership.objects.filter(account=row).exclude(role=Role.OWNER):
        membership.delete()
    SocialAccount.objects.filter(user=row).delete()
    Authenticator.objects.filter(user=row).delete()
    Challenge.objects.filter(Q(account=row) | Q(email=row.email)).delete()
    sessions.close_all(row)
    row.email, row.name, row.avatar = f"closed-{row.pk.hex}@account.invalid", "Closed account", ""
    row.status, row.is_staff, row.is_superuser, row.last_login_ip = AccountStatus.CLOSED, False, False, None
    row.set_unusable_password()
    row.save()


def _owned(account: Account) -> list[UUID]:
    return list(Membership.objects.filter(account=account, role=Role.OWNER).values_list("tenant_id", flat=True))


def note_feedback(*, email: str, feedback: str, ip: str | None) -> None:
    """Why somebody left, for the operator to read in the audit log."""
    usage = limits.count(group="closing-feedback", key=limits.place(ip) or "-", rate=FEEDBACK_RATE)
    if usage is not None and usage.limited:
        raise TooManyRequests(retry_after=usage.reset_seconds)
    AuditEntry.objects.create(
        actor_kind="anonymous", action="account.closing_feedback", target_kind="accounts.account", target_id=email[:64],
        after={"feedback": feedback}, ip=ip,
    )  # fmt: skip
