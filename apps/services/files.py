"""Files that people hand in: taken by the contract's limits, scanned, kept in the storage, shown through signed addresses."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets as random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import PurePath
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from apps.models import MessageFile, PreviewState, UploadFile
from difyproj.infra import db, virus_scan
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock, ids, secrets
from difyproj.kernel.errors import (
    FileAccessDenied,
    FileExtensionBlocked,
    FilenameNotExists,
    FileNotFound,
    FileTooLarge,
    Forbidden,
    InternalError,
    InvalidParam,
    UnsupportedFileType,
)
from difyproj.kernel.principal import ActorKind, Principal

from . import previews, stored_bytes
from .file_types import HEAD_BYTES, kind_of, plain_type, settle

logger = logging.getLogger(__name__)

MEGABYTE: Final = 1024 * 1024
SIGNED_FOR: Final = timedelta(hours=1)
MAX_NAME_LENGTH: Final = 200
MAX_EXTENSION_LENGTH: Final = 32
MAKERS: Final = {ActorKind.ACCOUNT: "account_id", ActorKind.END_USER: "end_user_id"}


class FileInfected(InvalidParam):
    """The virus scanner found something."""

    default_message = "File contains malicious content"


class FileCheckFailed(InternalError):
    """The virus scanner gave no verdict, so the file is not taken."""

    default_message = "File security check failed"


class FileUploadFailed(InternalError):
    """The storage would not keep the file."""

    default_message = "File upload failed"


def size_limit(kind: str) -> int:
    """Bytes that a file of this kind may have."""
    megabytes = {
        "image": settings.UPLOAD_IMAGE_FILE_SIZE_LIMIT,
        "video": settings.UPLOAD_VIDEO_FILE_SIZE_LIMIT,
        "audio": settings.UPLOAD_AUDIO_FILE_SIZE_LIMIT,
    }.get(kind, settings.UPLOAD_FILE_SIZE_LIMIT)
    return int(megabytes) * MEGABYTE


def plan(*, owner: Principal, file: UploadedFile) -> UploadFile:
    """The row of a file that is not kept yet; ``owner`` is an account or an end user. Raises the contract's upload errors."""
    name = checked_name(file.name)
    if not file.content_type:
        raise UnsupportedFileType
    suffix = PurePath(name).suffix[1:].lower()[:MAX_EXTENSION_LENGTH]
    head = file.read(HEAD_BYTES)
    file.seek(0)
    actual = settle(declared=plain_type(file.content_type), suffix=suffix, head=head)
    for extension in {suffix, actual.extension}:
        if extension in settings.UPLOAD_FILE_EXTENSION_BLACKLIST:
            raise FileExtensionBlocked
        if (file.size or 0) > size_limit(kind_of(extension)):
            raise FileTooLarge
    row = UploadFile(
        tenant_id=owner.tenant_id, app_id=owner.app_id, name=name, size=file.size or 0, extension=actual.extension,
        mime_type=actual.mime_type, created_by_role=owner.actor_kind.value, **{MAKERS[owner.actor_kind]: owner.actor_id},
    )  # fmt: skip
    row.key = f"upload_files/{owner.tenant_id}/{row.pk}{'.' + row.extension if row.extension.isalnum() else ''}"
    return row


async def keep(row: UploadFile, file: UploadedFile) -> UploadFile:
    """Keep the file and its row, or neither. A large file takes seconds: no thread of the database waits for the disk.

    Raises FileInfected, FileCheckFailed and FileUploadFailed.
    """
    if settings.ENABLE_VIRUS_SCAN:
        await scan(file, tenant_id=row.tenant_id)
    await db.run(stored_bytes.expect, row.key)
    try:
        await asyncio.to_thread(_store, row, file)
        await db.run(_insert, row)
    except BaseException as error:
        # Should this fail too, the bytes are written down as doomed.
        with suppress(OSError):
            await asyncio.to_thread(get_storage().delete, row.key)
        if isinstance(error, OSError):
            logger.exception("The storage did not keep a file")
            raise FileUploadFailed from error
        raise
    return row


async def scan(file: UploadedFile, *, tenant_id: UUID | str) -> None:
    """Raises FileInfected, and FileCheckFailed without a verdict."""
    try:
        found = await virus_scan.scan(_pieces(file))
    except virus_scan.ScanFailed as error:
        logger.error("An upload could not be scanned: %s", error)
        raise FileCheckFailed from error
    if found:
        logger.warning("The virus scanner found %s in an upload to tenant %s", found, tenant_id)
        raise FileInfected(params="file")


async def _pieces(file: UploadedFile) -> AsyncIterator[bytes]:
    pieces = iter(file.chunks())
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _store(row: UploadFile, file: UploadedFile) -> None:
    row.hash = _digest(file)
    get_storage().save(row.key, file.chunks())


def _insert(row: UploadFile) -> None:
    with transaction.atomic():
        stored_bytes.claim(row.key)
        previews.request(row)
        row.save(force_insert=True)


def checked_name(name: str | None) -> str:
    if not name or not name.strip():
        raise FilenameNotExists
    if any(character in name for character in '/\\\0"<>|*?:') or name in (".", ".."):
        raise InvalidParam("The file name contains characters that are not allowed.", params="file")
    if len(name) <= MAX_NAME_LENGTH:
        return name
    suffix = PurePath(name).suffix[: MAX_EXTENSION_LENGTH + 1]
    return name[: MAX_NAME_LENGTH - len(suffix)] + suffix


def _digest(file: UploadedFile) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def own(owner: Principal, file_ids: Sequence[str]) -> dict[str, UploadFile]:
    """The owner's own uploads of these ids, by id; others are left out."""
    keys = [key for value in file_ids if (key := ids.parse(value))]
    rows = UploadFile.objects.made_by(owner).filter(pk__in=keys) if keys else ()
    return {str(row.pk): row for row in rows}


def previewable(principal: Principal, file_id: UUID | str) -> UploadFile:
    """A file that the principal may look at: of its workspace, and where the credential binds an app, one that a message of
    this app refers to. Raises FileNotFound, or FileAccessDenied for another app's."""
    key = ids.parse(file_id)
    row = UploadFile.objects.for_tenant(principal.tenant_id).filter(pk=key).first() if key else None
    if row is None:
        raise FileNotFound
    if principal.app_id is None:
        return row
    mentioned = MessageFile.objects.filter(upload_file=row).values_list("message__app_id", flat=True)
    if not mentioned:
        raise FileNotFound
    if principal.app_id not in set(mentioned):
        raise FileAccessDenied
    return row


def beginning(principal: Principal, file_id: UUID | str) -> str:
    """How a document begins, as far as its preview is made. Raises as ``previewable``, and UnsupportedFileType for media."""
    row = previewable(principal, file_id)
    if kind_of(row.extension) != "document":
        raise UnsupportedFileType
    return previews.text_of(row)


def signed_url(row: UploadFile) -> str:
    """An address that shows the file to whoever has it, for an hour."""
    return _signed(row, "file-preview")


def preview_url(row: UploadFile) -> str | None:
    """The same for its picture; None for a file that has none and will have none."""
    promised = row.preview_state == PreviewState.WAITING and previews.is_drawn(row.mime_type)
    return _signed(row, "image-preview") if row.preview_key or promised else None


def by_signature(file_id: str, purpose: str, *, expires: int, nonce: str, signature: str) -> UploadFile:
    """The file that a signed address names. Raises Forbidden for a wrong or old signature, FileNotFound."""
    key = ids.parse(file_id)
    if key is None:
        raise FileNotFound
    if not secrets.verify(_signing_key(), _signed_text(key, purpose, nonce), signature, expires=expires):
        raise Forbidden("The address is not valid or has expired.")
    row = UploadFile.objects.filter(pk=key).first()
    if row is None:
        raise FileNotFound
    return row


def _signed(row: UploadFile, purpose: str) -> str:
    expires, nonce = int((clock.now() + SIGNED_FOR).timestamp()), random.token_hex(16)
    signature = secrets.sign(_signing_key(), _signed_text(row.pk, purpose, nonce), expires=expires)
    return f"{settings.PUBLIC_URL}/files/{row.pk}/{purpose}?timestamp={expires}&nonce={nonce}&sign={signature}"


def _signed_text(file_id: UUID, purpose: str, nonce: str) -> bytes:
    return b"\0".join((file_id.bytes, purpose.encode(), nonce.encode("utf-8", "replace")))


def _signing_key() -> bytes:
    return hashlib.sha256(b"file addresses\0" + settings.SECRET_KEY.encode()).digest()
