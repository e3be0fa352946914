"""Signed addresses of documents: whoever has one may load the file, for an hour."""

from __future__ import annotations

import hashlib
import secrets as random
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from datasets.models import DataSourceType, Document
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock, ids, secrets
from difyproj.kernel.errors import FileNotFound, Forbidden, NotFound

SIGNED_FOR: Final = timedelta(hours=1)


def signed_url(document: Document) -> str:
    """Raises NotFound for a document that is no file, and for one whose file is gone."""
    demand_file(document, "Document does not have an uploaded file to download.")
    expires, nonce = int((clock.now() + SIGNED_FOR).timestamp()), random.token_hex(16)
    signature = secrets.sign(_key(), _text(document.pk, nonce), expires=expires)
    path = f"files/documents/{document.pk}/download"
    return f"{settings.PUBLIC_URL}/{path}?timestamp={expires}&nonce={nonce}&sign={signature}"


def by_signature(document_id: str, *, expires: int, nonce: str, signature: str) -> Document:
    """Raises Forbidden for a wrong or old signature, FileNotFound."""
    key = ids.parse(document_id)
    if key is None:
        raise FileNotFound
    if not secrets.verify(_key(), _text(key, nonce), signature, expires=expires):
        raise Forbidden("The address is not valid or has expired.")
    found = Document.objects.filter(pk=key).first()
    if found is None:
        raise FileNotFound
    return found


def demand_file(document: Document, refusal: str) -> None:
    """Raises NotFound, with ``refusal`` for a document that never was a file."""
    if document.data_source_type != DataSourceType.UPLOAD_FILE:
        raise NotFound(refusal)
    if not get_storage().exists(document.key):
        raise NotFound("Uploaded file not found.")


def _text(document_id: UUID, nonce: str) -> bytes:
    return b"\0".join((document_id.bytes, b"download", nonce.encode("utf-8", "replace")))


def _key() -> bytes:
    return hashlib.sha256(b"document addresses\0" + settings.SECRET_KEY.encode()).digest()
