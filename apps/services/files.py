"""Files that people hand in: taken by the contract's limits, kept in the storage, shown through signed addresses."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from apps.models import App, EndUser, MessageFile, UploadFile
from difyproj.infra import db
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock, ids, secrets
from difyproj.kernel.errors import (
    FileAccessDenied,
    FileExtensionBlocked,
    FilenameNotExists,
    FileNotFound,
    FileTooLarge,
    Forbidden,
    InvalidParam,
    UnsupportedFileType,
)
from difyproj.kernel.principal import Principal

MEGABYTE: Final = 1024 * 1024
SIGNED_FOR: Final = timedelta(hours=1)
MAX_NAME_LENGTH: Final = 200
MAX_EXTENSION_LENGTH: Final = 32
MIME_TYPE: Final = re.compile(r"[\w.+-]{1,127}/[\w.+-]{1,127}", re.ASCII)
UNKNOWN_TYPE: Final = "application/octet-stream"

EXTENSIONS: Final = {
    "image": frozenset({"jpg", "jpeg", "png", "webp", "gif", "svg"}),
    "video": frozenset({"mp4", "mov", "mpeg", "webm", "avi"}),
    "audio": frozenset({"mp3", "m4a", "wav", "amr", "mpga"}),
}


def kind_of(extension: str) -> str:
    """image, video, audio or document, by the file's extension."""
    return next((kind for kind, known in EXTENSIONS.items() if extension.lower() in known), "document")


def size_limit(kind: str) -> int:
    """Bytes that a file of this kind may have."""
    megabytes = {
        "image": settings.UPLOAD_IMAGE_FILE_SIZE_LIMIT,
        "video": settings.UPLOAD_VIDEO_FILE_SIZE_LIMIT,
        "audio": settings.UPLOAD_AUDIO_FILE_SIZE_LIMIT,
    }.get(kind, settings.UPLOAD_FILE_SIZE_LIMIT)
    return int(megabytes) * MEGABYTE


def plan(*, app: App, end_user: EndUser, file: UploadedFile) -> UploadFile:
    """The row of a file that is not kept yet. Raises the contract's upload errors."""
    name = _checked_name(file.name)
    if not file.content_type:
        raise UnsupportedFileType
    extension = PurePath(name).suffix[1:].lower()[:MAX_EXTENSION_LENGTH]
    if extension in settings.UPLOAD_FILE_EXTENSION_BLACKLIST:
        raise FileExtensionBlocked
    if (file.size or 0) > size_limit(kind_of(extension)):
        raise FileTooLarge
    row = UploadFile(
        tenant_id=app.tenant_id, app=app, name=name, size=file.size or 0, extension=extension,
        mime_type=_checked_type(file.content_type), end_user=end_user,
    )  # fmt: skip
    row.key = f"upload_files/{app.tenant_id}/{row.pk}{'.' + extension if extension.isalnum() else ''}"
    return row


async def keep(row: UploadFile, file: UploadedFile) -> UploadFile:
    """Keep the file and its row, or neither. A large file takes seconds: no thread of the database waits for the disk."""
    try:
        await asyncio.to_thread(_store, row, file)
        await db.run(row.save, force_insert=True)
    except BaseException:
        await asyncio.to_thread(get_storage().delete, row.key)
        raise
    return row


def _store(row: UploadFile, file: UploadedFile) -> None:
    row.hash = _digest(file)
    get_storage().save(row.key, file.chunks())


def _checked_name(name: str | None) -> str:
    if not name or not name.strip():
        raise FilenameNotExists
    if any(character in name for character in '/\\\0"<>|*?:') or name in (".", ".."):
        raise InvalidParam("The file name contains characters that are not allowed.", params="file")
    if len(name) <= MAX_NAME_LENGTH:
        return name
    suffix = PurePath(name).suffix[: MAX_EXTENSION_LENGTH + 1]
    return name[: MAX_NAME_LENGTH - len(suffix)] + suffix


def _checked_type(given: str) -> str:
    """The type goes into headers when the file is shown: what is no plain ``type/subtype`` becomes an unknown one."""
    return given.lower() if MIME_TYPE.fullmatch(given) else UNKNOWN_TYPE


def _digest(file: UploadedFile) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def own(end_user: EndUser, file_ids: Sequence[str]) -> dict[str, UploadFile]:
    """The end user's own uploads of these ids, by id; others are left out."""
    keys = [key for value in file_ids if (key := ids.parse(value))]
    rows = UploadFile.objects.for_tenant(end_user.tenant_id).filter(pk__in=keys, end_user=end_user) if keys else ()
    return {str(row.pk): row for row in rows}


def previewable(principal: Principal, file_id: UUID | str) -> UploadFile:
    """A file that a message of the caller's app refers to. Raises FileNotFound, or FileAccessDenied for another app's."""
    key = ids.parse(file_id)
    row = UploadFile.objects.for_tenant(principal.tenant_id).filter(pk=key).first() if key else None
    if row is None:
        raise FileNotFound
    mentioned = MessageFile.objects.filter(upload_file=row).values_list("message__app_id", flat=True)
    if not mentioned:
        raise FileNotFound
    if principal.app_id not in set(mentioned):
        raise FileAccessDenied
    return row


def signed_url(row: UploadFile) -> str:
    """An address that shows the file to whoever has it, for an hour."""
    expires = int((clock.now() + SIGNED_FOR).timestamp())
    signature = secrets.sign(_signing_key(), row.pk.bytes, expires=expires)
    return f"{settings.PUBLIC_URL}/files/{row.pk}/file-preview?timestamp={expires}&nonce={row.pk.hex[:16]}&sign={signature}"


def by_signature(file_id: str, *, expires: int, signature: str) -> UploadFile:
    """The file that a signed address names. Raises Forbidden for a wrong or old signature, FileNotFound."""
    key = ids.parse(file_id)
    if key is None:
        raise FileNotFound
    if not secrets.verify(_signing_key(), key.bytes, signature, expires=expires):
        raise Forbidden("The address is not valid or has expired.")
    row = UploadFile.objects.filter(pk=key).first()
    if row is None:
        raise FileNotFound
    return row


def _signing_key() -> bytes:
    return hashlib.sha256(b"file addresses\0" + settings.SECRET_KEY.encode()).digest()
