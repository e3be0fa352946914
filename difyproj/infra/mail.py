"""E-mail: written down sealed, sent by a job, and forgotten once it is sent."""

from __future__ import annotations

from typing import TypedDict
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import transaction

from difyproj.kernel import ids, jsonio, secrets
from difyproj.kernel.errors import InvalidParam

from . import jobs
from .models import Job, OutgoingMail

KIND = "infra.mail"


class Letter(TypedDict):
    to: str
    subject: str
    text: str
    html: str


def send(to: str, subject: str, body_text: str, body_html: str = "", tenant_id: UUID | None = None) -> Job:
    """Have a message sent once the present transaction is committed. Raises InvalidParam for what is no address."""
    try:
        validate_email(to)
    except ValidationError:
        raise InvalidParam("This is not an e-mail address.", params="email") from None
    row = OutgoingMail(id=ids.new_id(), tenant_id=tenant_id)
    letter = Letter(to=to, subject=" ".join(subject.split()), text=body_text, html=body_html)
    row.sealed = secrets.seal(settings.INSTANCE_KEY, jsonio.dumps(letter), context=_context(row.pk))
    with transaction.atomic():
        row.save(force_insert=True)
        return jobs.enqueue(KIND, row.pk, tenant_id=tenant_id)


def deliver(mail_id: str) -> bool:
    """Send a message and forget it. False when it was sent before."""
    row = OutgoingMail.objects.filter(pk=mail_id).first()
    if row is None:
        return False
    letter = _open(row)
    message = EmailMultiAlternatives(
        letter["subject"], letter["text"], settings.DEFAULT_FROM_EMAIL, [letter["to"]], headers={"Message-ID": _message_id(row)}
    )
    if letter["html"]:
        message.attach_alternative(letter["html"], "text/html")
    message.send()
    row.delete()
    return True


def _open(row: OutgoingMail) -> Letter:
    """While the instance key is being changed, one of the previous keys may be the right one. Raises Unreadable."""
    keys = [settings.INSTANCE_KEY, *settings.INSTANCE_KEYS_PREVIOUS]
    for key in keys[:-1]:
        try:
            return _parsed(row, key)
        except secrets.Unreadable:
            continue
    return _parsed(row, keys[-1])


def _parsed(row: OutgoingMail, key: bytes) -> Letter:
    letter: Letter = jsonio.loads(secrets.unseal(key, bytes(row.sealed), context=_context(row.pk)))
    return letter


def _context(mail_id: UUID) -> bytes:
    return b"mail\0" + mail_id.bytes


def _message_id(row: OutgoingMail) -> str:
    """The same each time the message is sent, so that mail servers see a second copy for what it is."""
    return f"<{row.pk}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2].rstrip('>') or 'localhost'}>"
