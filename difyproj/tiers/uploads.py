"""Multipart bodies with one file, as every tier takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework.request import Request

from difyproj.kernel.errors import DomainError, FilenameNotExists, NoFileUploaded, TooManyFiles


def body(**fields: dict[str, Any]) -> dict[str, Any]:
    """The body in OpenAPI: the part ``file``, and ``fields`` that may stand beside it."""
    properties = {"file": {"type": "string", "format": "binary"}, **fields}
    return {"multipart/form-data": {"type": "object", "properties": properties, "required": ["file"]}}


def the_file(request: Request, *, absent: type[DomainError] = NoFileUploaded) -> UploadedFile:
    """The one part named ``file``. Raises TooManyFiles, FilenameNotExists, and ``absent`` without one."""
    parts = request.FILES.getlist("file")
    if len(request.FILES) > 1 or len(parts) > 1:
        raise TooManyFiles
    if parts:
        return parts[0]
    if isinstance(request.data, Mapping) and "file" in request.data:
        raise FilenameNotExists
    raise absent
