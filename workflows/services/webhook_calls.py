"""Calls of webhooks: what the node asks of them, and their signatures, each of which is good for one call."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction

from difyproj.infra.models import IdempotencyKey
from difyproj.kernel import clock, jsonio
from difyproj.kernel.errors import AppUnavailable, Conflict, Unauthorized
from workflows.models import Trigger
from workflows.nodes.trigger_webhook import TriggerWebhookData

from . import drafts, triggers

SCHEME: Final = "sha256="
LONGEST_TIMESTAMP: Final = 15
# An author who listens asks again every few seconds.
LISTENING: Final = timedelta(seconds=30)


class SignatureRefused(Unauthorized):
    """Missing, wrong or too old: the caller learns which."""


class SignatureReplayed(Conflict):
    default_message = "A call with this signature was taken already."


def data_of(trigger: Trigger, *, debugged: bool = False) -> TriggerWebhookData:
    """What the published node asks of a call, or the draft's. Raises AppUnavailable."""
    stated = drafts.node_data(drafts.get(trigger.app), trigger.node_id) if debugged else trigger.configuration
    try:
        return msgspec.convert(stated, TriggerWebhookData, strict=False)
    except msgspec.ValidationError as error:
        raise AppUnavailable(f"App unavailable, its webhook is broken: {error}") from error


def signature(key: str, timestamp: str, body: bytes) -> str:
    """As a caller writes it: of the time in epoch seconds, a dot and the body."""
    return SCHEME + hmac.digest(key.encode(), timestamp.encode() + b"." + body, "sha256").hex()


def checked(trigger: Trigger, *, signed: str, timestamp: str, body: bytes) -> str:
    """The signature of a call, empty where the webhook demands none. Raises SignatureRefused."""
    key = triggers.signing_key(trigger)
    if not key:
        return ""
    if not signed or not timestamp:
        raise SignatureRefused("The call needs X-Signature and X-Timestamp.")
    expected = signature(key, timestamp, body)
    if not hmac.compare_digest(expected.encode(), signed.strip().encode()):
        raise SignatureRefused("The signature is wrong.")
    if not _is_recent(timestamp):
        raise SignatureRefused("The time of the signature is too far from now.")
    return expected


def take(trigger: Trigger, signed: str) -> None:
    """Remember the signature of a call. Raises SignatureReplayed for one that was remembered before, by whichever process."""
    if not signed:
        return
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(
                tenant_id=trigger.tenant_id, scope=_scope(trigger), key=signed, request_hash="", state="done"
            )
    except IntegrityError:
        raise SignatureReplayed from None


def give_back(trigger: Trigger, signed: str) -> None:
    """The call began nothing: it may come again with the same signature."""
    if signed:
        IdempotencyKey.objects.filter(scope=_scope(trigger), key=signed).delete()


def listen(trigger: Trigger, *, by: UUID) -> Mapping[str, Any] | None:
    """The inputs of the call that came since ``by`` listened, for one who asks; None while there is none: from now on and for a
    while calls to the debug address are caught."""
    waiting = Trigger.objects.filter(pk=trigger.pk, listening_by_id=by, caught__isnull=False)
    caught: Mapping[str, Any] | None = waiting.values_list("caught", flat=True).first()
    if caught is not None and waiting.update(caught=None, listening_until=None, listening_by_id=None):
        return caught
    Trigger.objects.filter(pk=trigger.pk).update(caught=None, listening_until=clock.now() + LISTENING, listening_by_id=by)
    return None


def catch(trigger: Trigger, inputs: Mapping[str, Any]) -> None:
    """A call of the debug address, for its author; the last of several stays."""
    Trigger.objects.filter(pk=trigger.pk, listening_until__gt=clock.now()).update(caught=jsonio.storable(dict(inputs)))


def _is_recent(timestamp: str) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= LONGEST_TIMESTAMP):
        return False
    return abs(clock.now().timestamp() - int(timestamp)) <= settings.WEBHOOK_SIGNATURE_SECONDS


def _scope(trigger: Trigger) -> str:
    return f"webhook {trigger.pk}"
