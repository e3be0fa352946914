"""Uploads as the workspace's people read them."""

from __future__ import annotations

from uuid import UUID

from apps.models import PreviewState
from difyproj.kernel.errors import FileNotFound, UnsupportedFileType
from difyproj.kernel.principal import Principal

from . import files, previews


def text(principal: Principal, file_id: UUID | str) -> str:
    """How a document begins. Members see their own; those who may read the logs see what visitors handed in, too.

    Raises FileNotFound, and UnsupportedFileType for a file that holds no text.
    """
    row = files.previewable(principal, file_id)
    if row.account_id != principal.actor_id and not principal.can("app.logs"):
        raise FileNotFound
    if row.preview_state == PreviewState.NONE or row.mime_type in previews.PICTURES:
        raise UnsupportedFileType
    return previews.text_of(row)
