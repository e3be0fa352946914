"""Forms on trial: an author gets the letter of a form that nobody waits for, and its page until tomorrow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from accounts.models import Account
from difyproj.kernel import clock, ids, secrets
from difyproj.kernel.errors import InvalidParam
from workflows.models import ExecutedFrom, NodeExecution

from . import form_mail, form_values
from .forms import FormNotFound

PREFIX: Final = "trial-"
GOOD_FOR: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a page shows of it, as of a form that waits."""

    definition: Mapping[str, Any]
    title: str
    expires_at: datetime


def send(asked: NodeExecution, method_id: str, account: Account) -> None:
    """Send the letter that this method of the form would send, to the author alone.

    ``asked`` is the node, run alone. Raises InvalidParam for a method that sends no letters, or when no more may be sent today.
    """
    form = (asked.outputs or {}).get("form") or {}
    methods = [one for one in form.get("delivery") or () if one.get("id") == method_id and one.get("type") == form_mail.EMAIL]
    if not methods:
        raise InvalidParam("The node has no such way of delivery by e-mail.", params="delivery_method_id")
    config = methods[0].get("config")
    config = config if isinstance(config, Mapping) else {}
    link = f"{settings.PUBLIC_URL}/form/{_token(asked.pk)}"
    if not form_mail.send_one(asked.tenant_id, account.email, config, title=asked.title, link=link):
        raise InvalidParam("The letter could not be sent: too many today.", params="delivery_method_id")


def is_trial(token: str) -> bool:
    return token.startswith(PREFIX)


def get(token: str) -> Trial:
    """Raises FormNotFound for a token that is not ours or too old."""
    key, expires, signature = _parts(token)
    if not secrets.verify(_key(), key.bytes, signature, expires=expires):
        raise FormNotFound
    row = NodeExecution.objects.filter(pk=key, triggered_from=ExecutedFrom.SINGLE_STEP).first()
    form = (row.outputs or {}).get("form") if row is not None else None
    if row is None or not isinstance(form, Mapping):
        raise FormNotFound
    return Trial(form, row.title, datetime.fromtimestamp(expires, UTC))


def answer(trial: Trial, *, action: Any, inputs: Any) -> None:
    """Nothing goes on by it. Raises InvalidFormData."""
    form_values.checked(trial.definition, action=action, inputs=inputs)


def _token(execution_id: UUID) -> str:
    expires = clock.epoch(clock.now() + GOOD_FOR)
    return f"{PREFIX}{execution_id.hex}.{expires}.{secrets.sign(_key(), execution_id.bytes, expires=expires)}"


def _parts(token: str) -> tuple[UUID, int, str]:
    parts = token.removeprefix(PREFIX).split(".")
    key = ids.parse(parts[0])
    if len(parts) != 3 or key is None or not parts[1].isdecimal() or len(parts[1]) > 12:
        raise FormNotFound
    return key, int(parts[1]), parts[2]


def _key() -> bytes:
    return hashlib.sha256(b"forms on trial\0" + settings.SECRET_KEY.encode()).digest()
