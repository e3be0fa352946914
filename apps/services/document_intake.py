"""From what a request brings to a document's source: checked as every upload is, streamed into the storage, then claimed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from apps.models import UploadFile
from datasets.services.sources import READABLE, Source
from difyproj.infra import db
from difyproj.infra.storage import PIECE, get_storage
from difyproj.kernel.errors import UnsupportedFileType
from difyproj.kernel.principal import Principal

from . import files, stored_bytes
from .file_types import TEXT

logger = logging.getLogger(__name__)

Content = UploadedFile | UploadFile | bytes
Row = TypeVar("Row")
TEXT_EXTENSION: Final = "txt"


def of_file(owner: Principal, file: UploadedFile) -> Source:
    """What the file will be. Raises the contract's upload errors."""
    row = files.plan(owner=owner, file=file)
    demand_readable(row.extension)
    return Source.planned(tenant_id=owner.tenant_id, name=row.name, extension=row.extension, mime_type=row.mime_type)


def of_text(owner: Principal, name: str) -> Source:
    return Source.planned(tenant_id=owner.tenant_id, name=name, extension=TEXT_EXTENSION, mime_type=TEXT)


def of_upload(row: UploadFile, name: str = "") -> Source:
    """A file that was handed in before; the document gets its bytes as its own."""
    demand_readable(row.extension)
    return Source.planned(
        tenant_id=row.tenant_id, name=name or row.name, extension=row.extension, mime_type=row.mime_type,
        info={"upload_file_id": str(row.pk)},
    )  # fmt: skip


def demand_readable(extension: str) -> None:
    """Raises UnsupportedFileType for what no text can be read from."""
    if extension.lower() not in READABLE:
        raise UnsupportedFileType


async def keep(source: Source, content: Content, write: Callable[[Source], Row]) -> Row:
    """The bytes under the source's key, and in one transaction what ``write`` makes of it. No thread of the database waits for
    the disk; bytes that no row claims are given up later.

    Raises FileInfected, FileCheckFailed, FileUploadFailed, and what ``write`` raises.
    """
    if settings.ENABLE_VIRUS_SCAN and isinstance(content, UploadedFile):
        await files.scan(content, tenant_id=_tenant_of(source))
    await db.run(stored_bytes.expect, source.key)
    try:
        measured = await asyncio.to_thread(_store, source, content)
    except OSError as error:
        logger.exception("The storage did not keep a document")
        raise files.FileUploadFailed from error
    return await db.run(_claim, measured, write)


def _tenant_of(source: Source) -> str:
    return source.key.split("/")[1]


def _store(source: Source, content: Content) -> Source:
    measured = source.measured(_pieces(content))
    get_storage().save(source.key, _pieces(content))
    return measured


def _pieces(content: Content) -> Iterable[bytes]:
    if isinstance(content, bytes):
        yield content
    elif isinstance(content, UploadedFile):
        content.seek(0)
        yield from content.chunks()
    else:
        with get_storage().open(content.key) as file:
            while piece := file.read(PIECE):
                yield piece


def _claim(source: Source, write: Callable[[Source], Row]) -> Row:
    with transaction.atomic():
        stored_bytes.claim(source.key)
        return write(source)
