"""Documents by signed address: whoever has the address may load the file, until it expires."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from datasets.services import addresses
from difyproj.infra.storage import get_storage
from difyproj.kernel.errors import BadRequest
from difyproj.tiers.base import TierViewSet
from difyproj.tiers.files import answer


@extend_schema(exclude=True)
class SignedDocument(TierViewSet):
    authentication_classes = ()

    def retrieve(self, request: Request, document_id: str) -> HttpResponseBase:
        expires, nonce, signature = (request.query_params.get(name, "") for name in ("timestamp", "nonce", "sign"))
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16 and signature and nonce):
            raise BadRequest("timestamp, nonce and sign are required.")
        row = addresses.by_signature(document_id, expires=int(expires), nonce=nonce, signature=signature)
        return answer(
            request, get_storage().open(row.key), name=row.name, mime_type=row.mime_type, size=row.size, digest=row.hash,
            as_attachment=True, max_age=0,
        )  # fmt: skip
