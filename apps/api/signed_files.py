"""Files by signed address: whoever has the address may see the file, until it expires."""

from __future__ import annotations

from pathlib import PurePath

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.models import UploadFile
from apps.services import files, previews
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock
from difyproj.kernel.errors import BadRequest, FileNotFound
from difyproj.tiers.base import TierViewSet
from difyproj.tiers.files import MAX_AGE, answer


def show(request: Request, row: UploadFile, *, as_attachment: bool, max_age: int = MAX_AGE) -> HttpResponseBase:
    """The file itself, for whoever was allowed to see it."""
    return answer(
        request,
        get_storage().open(row.key),
        name=row.name,
        mime_type=row.mime_type,
        size=row.size,
        digest=row.hash,
        as_attachment=as_attachment,
        max_age=max_age,
    )


@extend_schema(exclude=True)
class SignedFile(TierViewSet):
    authentication_classes = ()

    def retrieve(self, request: Request, file_id: str) -> HttpResponseBase:
        row, max_age = self._named(file_id, "file-preview")
        return show(request, row, as_attachment=request.query_params.get("as_attachment") == "true", max_age=max_age)

    def picture(self, request: Request, file_id: str) -> HttpResponseBase:
        """The small picture; until it is made, an image stands for itself."""
        row, max_age = self._named(file_id, "image-preview")
        if not row.preview_key:
            if row.mime_type not in previews.PICTURES:
                raise FileNotFound
            return show(request, row, as_attachment=False, max_age=0)
        file = get_storage().open(row.preview_key)
        size = file.seek(0, 2)
        file.seek(0)
        name = f"{PurePath(row.name).stem}.{previews.EXTENSION}"
        return answer(request, file, name=name, mime_type=previews.MIME_TYPE, size=size, max_age=max_age)

    def _named(self, file_id: str, purpose: str) -> tuple[UploadFile, int]:
        """The file, and for how many seconds more it may be shown."""
        query = self.request.query_params
        expires, nonce, signature = (query.get(name, "") for name in ("timestamp", "nonce", "sign"))
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16 and signature and nonce):
            raise BadRequest("timestamp, nonce and sign are required.")
        row = files.by_signature(file_id, purpose, expires=int(expires), nonce=nonce, signature=signature)
        return row, min(MAX_AGE, max(0, int(expires) - int(clock.now().timestamp())))
