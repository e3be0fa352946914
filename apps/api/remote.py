"""Files that lie elsewhere, as the tiers ask for them and show them."""

from __future__ import annotations

import re

from rest_framework import serializers
from rest_framework.request import Request

from apps.models import UploadFile
from apps.services import files

from .records import Shape, UploadFileRecord
from .requests import Fields

MAX_URL = 8192
# Proxies make one slash of two.
SCHEME = re.compile(r"^(https?):/+", re.IGNORECASE)


class RemoteFileFields(Fields):
    url = serializers.CharField(max_length=MAX_URL)


class RemoteFileInfoRecord(Shape):
    file_type = serializers.CharField()
    file_length = serializers.IntegerField()


class RemoteFileRecord(UploadFileRecord):
    url = serializers.SerializerMethodField()

    class Meta:
        model = UploadFile
        fields = ("id", "name", "size", "extension", "mime_type", "created_by", "created_at", "url")
        read_only_fields = fields

    def get_url(self, row: UploadFile) -> str:
        return files.signed_url(row)


def given_url(request: Request, url: str) -> str:
    """The address in the path; one that was not encoded has left its query to ours."""
    query = request.META.get("QUERY_STRING", "")
    return SCHEME.sub(r"\1://", url) + (f"?{query}" if query else "")
