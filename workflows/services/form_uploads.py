"""Uploads into a form: whoever has the form's token gets another one, which is good for files and for nothing else."""

from __future__ import annotations

import hashlib
import secrets as random
from typing import Final
from uuid import UUID

from django.conf import settings

from difyproj.infra import limits
from difyproj.kernel import clock, ids, secrets
from difyproj.kernel.errors import DomainError, TooManyRequests
from workflows.models import HumanInputForm

from . import forms

PREFIX: Final = "hitl_upload_"
RATE: Final = "200/d"


class InvalidUploadToken(DomainError):
    code, status = "invalid_upload_token", 403
    default_message = "Upload token is invalid or expired."


class UploadTokenRequired(DomainError):
    code, status = "invalid_upload_token", 401
    default_message = "Upload token is required."


def issue(token: str) -> tuple[str, int]:
    """(the upload token, until when it is good, in seconds) for a form that waits. Raises as ``forms.get`` does."""
    row = forms.get(token)
    expires, nonce = clock.epoch(row.expires_at), random.token_hex(16)
    signature = secrets.sign(_key(), _text(row.pk, nonce), expires=expires)
    return f"{PREFIX}{row.pk.hex}.{expires}.{nonce}.{signature}", expires


def form_of(upload_token: str) -> HumanInputForm:
    """The form that waits for the file, with app and run at hand.

    Raises UploadTokenRequired, InvalidUploadToken, TooManyRequests, and as ``forms.get`` does for one that waits no more.
    """
    if not upload_token:
        raise UploadTokenRequired
    form_id, expires, nonce, signature = _parts(upload_token)
    if not secrets.verify(_key(), _text(form_id, nonce), signature, expires=expires):
        raise InvalidUploadToken
    row = HumanInputForm.objects.filter(pk=form_id).select_related("app", "run").first()
    if row is None:
        raise InvalidUploadToken
    forms.demand_waiting(row)
    usage = limits.count(group="form-uploads", key=str(row.pk), rate=RATE)
    if usage is not None and usage.limited:
        raise TooManyRequests(retry_after=usage.reset_seconds)
    return row


def _parts(upload_token: str) -> tuple[UUID, int, str, str]:
    parts = upload_token.removeprefix(PREFIX).split(".")
    form_id = ids.parse(parts[0])
    if (
        not upload_token.startswith(PREFIX)
        or len(parts) != 4
        or form_id is None
        or not parts[1].isdecimal()
        or len(parts[1]) > 12
    ):
        raise InvalidUploadToken
    return form_id, int(parts[1]), parts[2], parts[3]


def _text(form_id: UUID, nonce: str) -> bytes:
    return b"\0".join((form_id.bytes, nonce.encode("utf-8", "replace")))


def _key() -> bytes:
    return hashlib.sha256(b"form uploads\0" + settings.SECRET_KEY.encode()).digest()
