"""Vectors in a Qdrant server, over REST: a collection per index, a point per entry.

Qdrant knows nothing of transactions. What it holds of entries that have no row is never answered with; who writes again after
a transaction that was taken back puts it right.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from django.conf import settings

from datasets.models import StoredIndex
from datasets.rag.stores import Entry, Found, Index, ranked
from difyproj.infra import loop
from difyproj.infra.egress import store_egress
from difyproj.kernel import jsonio
from difyproj.kernel.egress_errors import EgressFailed, EgressRefused
from difyproj.kernel.errors import ServiceUnavailable
from difyproj.kernel.http import Timeout

from .rows import RowStore, batches, entries_with

POINTS_AT_ONCE: Final = 200
# More than are asked for: equal ones are told apart by their ids, and some may have no row any more.
SPARE: Final = 64
OK, NOT_FOUND, CONFLICT = range(200, 300), 404, 409
DOCUMENT: Final = "document_id"
Json = dict[str, Any]


class QdrantStore(RowStore):
    name: ClassVar[str] = "qdrant"

    def put_vectors(self, index: Index, state: StoredIndex, entries: Sequence[Entry]) -> None:
        points = [
            {
                "id": str(entry.node_id),
                "vector": array("f", entry.vector).tolist(),
                "payload": {DOCUMENT: str(entry.document_id)},
            }
            for entry in entries
            if entry.vector is not None
        ]
        bare = [entry.node_id for entry in entries if entry.vector is None]
        if bare and index.dimensions:
            self.remove_vectors(index, state, bare, ())
        for some in batches(points, POINTS_AT_ONCE):
            body = {"points": some}
            if _call("PUT", f"{_path(index)}/points?wait=true", body, may_be_missing=True) is None:
                _make(index)
                _call("PUT", f"{_path(index)}/points?wait=true", body)

    def remove_vectors(self, index: Index, state: StoredIndex, nodes: Collection[UUID], documents: Collection[UUID]) -> None:
        if not index.dimensions:
            return
        given: list[Json] = []
        if nodes:
            given.append({"points": [str(node) for node in nodes]})
        if documents:
            given.append({"filter": _of(documents)})
        for body in given:
            _call("POST", f"{_path(index)}/points/delete?wait=true", body, may_be_missing=True)

    def drop_vectors(self, index: Index, state: StoredIndex | None) -> None:
        if index.dimensions:
            _call("DELETE", _path(index), may_be_missing=True)

    def nearest_vectors(
        self, index: Index, state: StoredIndex, vector: bytes, top_k: int, within: Collection[UUID] | None
    ) -> Sequence[Found]:
        body: Json = {"query": array("f", vector).tolist(), "limit": top_k + SPARE, "with_payload": False}
        if within is not None:
            body["filter"] = _of(within)
        result = _call("POST", f"{_path(index)}/points/query", body, may_be_missing=True)
        near = {UUID(point["id"]): float(point["score"]) for point in (result or {}).get("points", ())}
        return ranked(entries_with("node_id", near, index_id=state.pk), top_k)


def _make(index: Index) -> None:
    """The collection; somebody else may be faster."""
    _call("PUT", _path(index), {"vectors": {"size": index.dimensions, "distance": "Dot"}}, may_exist=True)
    _call("PUT", f"{_path(index)}/index?wait=true", {"field_name": DOCUMENT, "field_schema": "keyword"})


def _of(documents: Collection[UUID]) -> Json:
    return {"must": [{"key": DOCUMENT, "match": {"any": [str(document) for document in documents]}}]}


def _path(index: Index) -> str:
    return f"/collections/difyproj_{index.tenant_id.hex}_{index.dataset_id.hex}_{index.generation:d}"


def _call(method: str, path: str, body: Json | None = None, *, may_be_missing: bool = False, may_exist: bool = False) -> Any:
    """What Qdrant answers with, None for what is missing where that may be. Raises ServiceUnavailable."""
    seconds = settings.QDRANT_TIMEOUT_SECONDS
    try:
        status, answer = loop.wait(_exchange(method, path, body, seconds), seconds=seconds + 1)
    except (EgressFailed, EgressRefused, TimeoutError) as error:
        raise ServiceUnavailable(f"The vector store could not be asked: {error}") from error
    if (status == NOT_FOUND and may_be_missing) or (status == CONFLICT and may_exist):
        return None
    if status not in OK:
        raise ServiceUnavailable(f"The vector store refused a request with status {status}: {_reason(answer)}")
    try:
        return jsonio.loads(answer)["result"]
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceUnavailable("The vector store answered with something else than Qdrant does.") from error


async def _exchange(method: str, path: str, body: Json | None, seconds: float) -> tuple[int, bytes]:
    if not settings.QDRANT_URL:
        raise EgressRefused("QDRANT_URL is not set.")
    headers = {"api-key": settings.QDRANT_API_KEY} if settings.QDRANT_API_KEY else {}
    timeout = Timeout(connect=seconds, read=seconds, total=seconds)
    async with store_egress().open(method, settings.QDRANT_URL + path, headers=headers, json=body, timeout=timeout) as response:
        return response.status, await response.read()


def _reason(answer: bytes) -> str:
    try:
        return str(jsonio.loads(answer)["status"]["error"])[:300]
    except (ValueError, KeyError, TypeError):
        return "no reason given."
