"""The first proof that an account's address is theirs: whoever got in before it on somebody's word alone is shut out."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Account
from accounts.services import second_factor, sessions
from difyproj.kernel import clock


@transaction.atomic
def claim(account: Account) -> bool:
    """Whether this was the first proof. Then password, second factor and sessions go: others may have set them.

    ``account`` is brought up to date.
    """
    row = Account.objects.select_for_update().get(pk=account.pk)
    if row.email_proven_at is not None:
        return False
    row.email_proven_at = clock.now()
    row.set_unusable_password()
    row.save(update_fields=["email_proven_at", "password", "updated_at"])
    second_factor.take_away(row)
    sessions.close_all(row)
    account.email_proven_at, account.password = row.email_proven_at, row.password
    return True
