"""Forms by e-mail: whoever the node names gets a letter with the address of the form's page, when the form is made."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from accounts.models import AccountStatus, Membership
from apps.models import Run
from difyproj.infra import limits, mail
from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidParam

logger = logging.getLogger("dify.api")

EMAIL: Final = "email"
MOST_RECIPIENTS: Final = 20
RATE: Final = "500/d"
LONGEST_SUBJECT: Final = 200
LONGEST_BODY: Final = 20_000
PLACE: Final = "{{#url#}}"


def send(run: Run, delivery: Iterable[Mapping[str, Any]], *, title: str, token: str) -> int:
    """How many letters are on their way once the present transaction is committed: at most twenty of a form, and so many
    of a tenant's a day. An address that is none gets none.
    """
    sent = 0
    link = f"{settings.PUBLIC_URL}/form/{token}"
    for method in delivery:
        config = method.get("config")
        if method.get("type") != EMAIL or not isinstance(config, Mapping):
            continue
        subject, text = _letter(config, title, link)
        for address in _addresses(run, config):
            if sent == MOST_RECIPIENTS:
                return sent
            sent += _post(run.tenant_id, address, subject, text)
    return sent


def send_one(tenant_id: UUID, address: str, config: Mapping[str, Any], *, title: str, link: str) -> bool:
    """The same letter to one address; false when there were too many today, or the address is none."""
    return _post(tenant_id, address, *_letter(config, title, link))


def _post(tenant_id: UUID, address: str, subject: str, text: str) -> bool:
    usage = limits.count(group="form-mail", key=str(tenant_id), rate=RATE)
    if usage is not None and usage.limited:
        logger.warning("A form is not sent by e-mail: too many today.", extra={"tenant_id": str(tenant_id)})
        return False
    try:
        mail.send(address, subject, text, tenant_id=tenant_id)
    except InvalidParam:
        return False
    return True


def _letter(config: Mapping[str, Any], title: str, link: str) -> tuple[str, str]:
    """(subject, text). A text that has no place for the address ends with it."""
    subject = str(config.get("subject") or title or "A question for you")[:LONGEST_SUBJECT]
    body = str(config.get("body") or "")[:LONGEST_BODY]
    text = body.replace(PLACE, link) if PLACE in body else f"{body}\n\n{link}\n".lstrip()
    return str(jsonio.storable(subject)), str(jsonio.storable(text))


def _addresses(run: Run, config: Mapping[str, Any]) -> Iterator[str]:
    """Each once. While an author tries the form out (``debug_mode``), it is the author who gets the letter."""
    asked = config.get("recipients")
    recipients: Mapping[str, Any] = asked if isinstance(asked, Mapping) else {}
    stated = recipients.get("items")
    items = [item for item in stated if isinstance(item, Mapping)] if isinstance(stated, list) else []
    members = _members(run)
    if config.get("debug_mode"):
        found = [members.get(str(run.account_id), "")]
    else:
        found = [_address(item, members) for item in items]
        found += members.values() if recipients.get("whole_workspace") else ()
    yield from dict.fromkeys(address for address in found if address)


def _address(item: Mapping[str, Any], members: Mapping[str, str]) -> str:
    """Empty for somebody who is no member of the workspace any more."""
    if item.get("type") == "member":
        return members.get(str(item.get("user_id") or item.get("reference_id")), "")
    return str(item.get("email") or "").strip()


def _members(run: Run) -> dict[str, str]:
    rows = Membership.objects.for_tenant(run.tenant_id).filter(accepted_at__isnull=False, account__status=AccountStatus.ACTIVE)
    return {str(account_id): email for account_id, email in rows.values_list("account_id", "account__email")}
