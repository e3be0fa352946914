"""Previews of uploads: a small picture of images and PDFs, and how documents begin. Made by a job, after the upload."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from apps.models import PreviewState, UploadFile
from difyproj.infra import jobs, thumbnails
from difyproj.infra.storage import get_storage

from . import stored_bytes
from .file_types import PDF

KIND: Final = "apps.preview"
MIME_TYPE, EXTENSION = thumbnails.MIME_TYPE, thumbnails.EXTENSION
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
TEXTS: Final = frozenset({"application/json", "application/xml", "application/xhtml+xml", "application/x-yaml"})
TEXT_BYTES, TEXT_CHARACTERS = 16 * 1024, 3000


def is_drawn(mime_type: str) -> bool:
    """Whether there is a picture of such files."""
    return mime_type in PICTURES or mime_type == PDF


def request(row: UploadFile) -> None:
    """Note on the new row that a preview is wanted, and ask for it, in the transaction that is open."""
    if is_drawn(row.mime_type) or _is_text(row.mime_type):
        row.preview_state = PreviewState.WAITING
        jobs.enqueue(KIND, row.pk, tenant_id=row.tenant_id, unique=True)


def make(file_id: UUID | str) -> str:
    """Make the preview that the row waits for; its state afterwards, empty when the file is gone."""
    row = UploadFile.objects.filter(pk=file_id).first()
    if row is None:
        return ""
    if row.preview_state == PreviewState.WAITING:
        _draw(row) if is_drawn(row.mime_type) else _read(row)
    return row.preview_state


def text_of(row: UploadFile) -> str:
    """How the file begins; for a plain text also before the job has run."""
    if row.preview_state == PreviewState.WAITING and not is_drawn(row.mime_type):
        _read(row)
    return row.preview_text


def give_up(file_id: UUID | str) -> None:
    UploadFile.objects.filter(pk=file_id, preview_state=PreviewState.WAITING).update(preview_state=PreviewState.FAILED)


def _draw(row: UploadFile) -> None:
    try:
        with get_storage().open(row.key) as file:
            drawn = thumbnails.draw(file, "pdf" if row.mime_type == PDF else "image")
    except thumbnails.NoThumbnail:
        _keep(row, preview_state=PreviewState.FAILED)
        return
    key = row.picture_key
    stored_bytes.expect(key)
    get_storage().save(key, drawn.picture)
    with transaction.atomic():
        # Where the file was deleted meanwhile, the picture stays doomed.
        if _keep(row, preview_state=PreviewState.READY, preview_key=key, preview_text=drawn.text):
            stored_bytes.claim(key)


def _read(row: UploadFile) -> None:
    with get_storage().open(row.key) as file:
        text = file.read(TEXT_BYTES).decode("utf-8", "replace").removeprefix("\ufeff").replace("\0", "")
    _keep(row, preview_state=PreviewState.READY, preview_text=text[:TEXT_CHARACTERS])


def _keep(row: UploadFile, **made: str) -> bool:
    for name, value in made.items():
        setattr(row, name, value)
    return bool(UploadFile.objects.filter(pk=row.pk).update(**made))


def _is_text(mime_type: str) -> bool:
    return mime_type.startswith("text/") or mime_type in TEXTS
