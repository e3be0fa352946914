"""Files that a body names: how they are written, and as the door takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework import serializers

from apps import generation

from .shapes import Fields


class FileInput(Fields):
    type = serializers.ChoiceField(choices=["image", "document", "audio", "video", "custom"])
    transfer_method = serializers.ChoiceField(choices=["remote_url", "local_file", "tool_file"])
    url = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=8192)
    upload_file_id = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=64)


class FilesField(serializers.ListField):
    child = FileInput()

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, "max_length": 100, **options})


def inputs_of(files: Iterable[Mapping[str, Any]] | None) -> tuple[generation.FileInput, ...]:
    return tuple(
        generation.FileInput(file["type"], file["transfer_method"], file.get("url") or "", file.get("upload_file_id") or "")
        for file in files or ()
    )
