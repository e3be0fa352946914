"""Source: what a document is made of. Its bytes lie in the storage already, under a key that will be the document's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, Final, Self
from uuid import UUID

from datasets.models import DataSourceType
from difyproj.kernel import ids

FOLDER: Final = "datasets"
LONGEST_NAME: Final = 255
READABLE: Final = frozenset({
    "txt", "text", "markdown", "md", "mdx", "rst", "log", "pdf", "html", "htm", "xhtml", "xls", "xlsx", "xlsm", "xlsb",
    "ods", "csv", "tsv", "json", "jsonl", "ndjson", "xml", "yaml", "yml", "vtt", "srt", "properties", "ini", "conf",
    "docx", "doc", "pptx", "ppt", "epub", "eml", "msg",
})  # fmt: skip
"""Extensions that a document may have."""
MOST_EXTENSION: Final = 32


@dataclass(frozen=True, slots=True)
class Source:
    """``info`` says where it came from: ``upload_file_id``, or ``url`` and ``title`` of a page."""

    name: str
    key: str
    extension: str = ""
    mime_type: str = ""
    size: int = 0
    hash: str = ""
    type: str = DataSourceType.UPLOAD_FILE
    info: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def planned(cls, *, tenant_id: UUID, name: str, extension: str, mime_type: str, **more: Any) -> Self:
        """One whose bytes are still to be kept under its key."""
        extension = extension.lower().lstrip(".")[:MOST_EXTENSION]
        suffix = f".{extension}" if extension.isascii() and extension.isalnum() else ""
        key = f"{FOLDER}/{tenant_id}/{ids.new_id()}{suffix}"
        return cls(fitting(name), key, extension, mime_type, **more)

    def measured(self, pieces: Iterable[bytes]) -> Self:
        """With the size and the hash of its bytes."""
        digest, size = hashlib.sha256(), 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
        return replace(self, size=size, hash=digest.hexdigest())


def fitting(name: str) -> str:
    """As much of a name as its column takes, its ending included."""
    if len(name) <= LONGEST_NAME:
        return name
    suffix = PurePath(name).suffix[: MOST_EXTENSION + 1]
    return name[: LONGEST_NAME - len(suffix)] + suffix
