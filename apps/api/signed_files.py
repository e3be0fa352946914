"""Files by signed address: whoever has the address may see the file, until it expires."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.services import files
from difyproj.infra.storage import get_storage
from difyproj.kernel.errors import BadRequest
from difyproj.tiers.base import TierViewSet
from difyproj.tiers.files import FileBody


@extend_schema(exclude=True)
class SignedFile(TierViewSet):
    authentication_classes = ()

    def retrieve(self, request: Request, file_id: str) -> FileBody:
        query = request.query_params
        expires, nonce, signature = (query.get(name, "") for name in ("timestamp", "nonce", "sign"))
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16 and signature and nonce):
            raise BadRequest("timestamp, nonce and sign are required.")
        row = files.by_signature(file_id, "file-preview", expires=int(expires), nonce=nonce, signature=signature)
        return FileBody(
            get_storage().open(row.key),
            name=row.name,
            mime_type=row.mime_type,
            size=row.size,
            as_attachment=query.get("as_attachment") == "true",
        )
