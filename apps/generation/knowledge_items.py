"""Passages as the variables of graphs hold them, and as readers are told that an answer leans on them.

Source of both shapes: Dify's contract (``result`` of knowledge-retrieval, ``retriever_resources`` of ``message_end``). What is
added is where the passage stands in its document: ``page``, ``start``, ``end``, ``boxes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from datasets.models import Segment
from datasets.services.retrieval import Passage
from difyproj.kernel import ids

Record = dict[str, Any]
Files = Mapping[str, Mapping[str, Any]]


def items(passages: Sequence[Passage], *, retriever_from: str, files: Files) -> list[Record]:
    """Best first; positions count from 1."""
    return [_item(one, place, retriever_from, files) for place, one in enumerate(passages, 1)]


def _item(passage: Passage, position: int, retriever_from: str, files: Files) -> Record:
    base = {
        "_source": "knowledge",
        "dataset_id": str(passage.dataset.pk),
        "dataset_name": passage.dataset.name,
        "retriever_from": retriever_from,
        "score": round(passage.score, 6),
        "position": position,
    }
    if passage.segment is None:
        return _external(passage, base)
    segment, document = passage.segment, passage.segment.document
    metadata = {
        **base,
        "document_id": str(document.pk),
        "document_name": document.name,
        "data_source_type": document.data_source_type,
        "segment_id": str(segment.pk),
        "child_chunks": [
            {"id": str(one.id), "content": one.content, "position": one.position, "score": round(one.score, 6)}
            for one in passage.children
        ],
        "segment_hit_count": segment.hit_count,
        "segment_word_count": segment.word_count,
        "segment_position": segment.position,
        "segment_index_node_hash": segment.index_node_hash,
        "doc_metadata": document.doc_metadata or None,
        **_place(segment),
    }
    return {
        "metadata": metadata,
        "title": document.name,
        "files": [dict(files[key]) for key in segment.attachments if key in files],
        "content": passage.content,
        "summary": segment.summary or None,
    }


def _place(segment: Segment) -> Record:
    return {"page": segment.page, "start": segment.start, "end": segment.end, "boxes": segment.boxes}


def _external(passage: Passage, base: Record) -> Record:
    said = passage.external
    assert said is not None
    metadata = {
        **base,
        "document_id": str(said.metadata.get("document_id") or "") or None,
        "document_name": said.title,
        "data_source_type": "external",
        "segment_id": None,
        "child_chunks": [],
        "doc_metadata": dict(said.metadata) or None,
    }
    return {"metadata": metadata, "title": said.title, "files": [], "content": said.content, "summary": None}


def resources(found: Iterable[Mapping[str, Any]], message_id: UUID | None, created_at: int) -> list[Record]:
    """Each passage once, in the order in which it was found."""
    told: dict[Any, Record] = {}
    for item in found:
        metadata = item.get("metadata")
        if isinstance(metadata, Mapping):
            key = metadata.get("segment_id") or (metadata.get("dataset_id"), item.get("content"))
            told.setdefault(key, _resource(item, metadata))
    base = {"message_id": str(message_id), "created_at": created_at}
    return [{"position": place, "id": str(ids.new_id()), **base, **one} for place, one in enumerate(told.values(), 1)]


def _resource(item: Mapping[str, Any], metadata: Mapping[str, Any]) -> Record:
    names = (
        "dataset_id", "dataset_name", "document_id", "document_name", "data_source_type", "segment_id", "retriever_from",
        "score", "doc_metadata", "page", "start", "end", "boxes",
    )  # fmt: skip
    return {
        **{name: metadata.get(name) for name in names},
        "hit_count": metadata.get("segment_hit_count"),
        "word_count": metadata.get("segment_word_count"),
        "segment_position": metadata.get("segment_position"),
        "index_node_hash": metadata.get("segment_index_node_hash"),
        "content": item.get("content"),
        "title": item.get("title"),
        "files": list(item.get("files") or ()),
        "summary": item.get("summary"),
    }
