"""A document's passages as rows: those with the same text as before stay, with all that people changed in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from datasets.models import ChildChunk, Document, IndexingStatus, Segment
from datasets.rag import words
from datasets.rag.extract.base import Page
from datasets.rag.split import Piece
from difyproj.infra import inserts
from difyproj.model_runtime import tokens

from . import indexing, removal
from .vectors import hash_of

AT_ONCE: Final = 200


class Passages:
    """``write`` changes the document's row if the work is still wanted, else it raises: it opens each transaction."""

    def __init__(self, document: Document, write: Callable[..., None]) -> None:
        self._document, self._write = document, write
        self.count = 0
        self._tokens = self._characters = self._pages = 0
        self._old: dict[str, deque[UUID]] = {}
        self._edited: dict[UUID, bool] = {}
        self.kept = 0
        rows = Segment.objects.filter(document=document).order_by("position", "pk")
        for key, source, edited in rows.values_list("pk", "source_hash", "edited"):
            self._edited[key] = edited
            self._old.setdefault(source, deque()).append(key)

    def saw(self, page: Page) -> None:
        self._pages = max(self._pages, page.number)

    def take_all(self, pieces: Iterable[Piece], check: Callable[[], object]) -> None:
        """All of the document, batch by batch; what the new text does not hold goes in the end."""
        held: list[Piece] = []
        for piece in pieces:
            held.append(piece)
            if len(held) >= AT_ONCE:
                self._take(held)
                held = []
                check()
        if held:
            self._take(held)
        if self.count:
            self._drop_the_rest()

    def counts(self) -> dict[str, Any]:
        return {
            "segment_count": self.count,
            "tokens": self._tokens,
            "word_count": self._characters,
            "page_count": self._pages,
        }

    @transaction.atomic
    def _take(self, pieces: Sequence[Piece]) -> None:
        # New rows point at the dataset: its row is locked before the document's, as everywhere.
        indexing.share(self._document.dataset_id)
        self._write(indexing_status=IndexingStatus.SPLITTING, segment_count=self.count + len(pieces))
        new: list[Segment] = []
        children: list[ChildChunk] = []
        kept: list[tuple[UUID, dict[str, Any]]] = []
        for piece in pieces:
            self.count += 1
            source = hash_of("\0".join((piece.content, piece.answer, *piece.children)))
            counted = tokens.estimate(piece.content) + tokens.estimate(piece.answer)
            self._tokens += counted
            self._characters += len(piece.content) + len(piece.answer)
            place = {
                "position": self.count, "page": piece.page, "start": piece.start, "end": piece.end,
                "boxes": [list(box) for box in piece.boxes], "revision": self._document.revision,
            }  # fmt: skip
            before = self._old.get(source)
            if before:
                key = before.popleft()
                del self._edited[key]
                self.kept += 1
                kept.append((key, place))
                continue
            row = self._segment(piece, source, counted, place)
            new.append(row)
            children += [self._child(row, position, text) for position, text in enumerate(piece.children, 1)]
        inserts.update_many(Segment, kept)
        Segment.objects.bulk_create(new)
        ChildChunk.objects.bulk_create(children)

    def _segment(self, piece: Piece, source: str, counted: int, place: dict[str, Any]) -> Segment:
        own = self._document
        return Segment(
            tenant_id=own.tenant_id, dataset_id=own.dataset_id, document=own, content=piece.content, answer=piece.answer,
            keywords=words.keywords(piece.content), word_count=len(piece.content) + len(piece.answer), tokens=counted,
            source_hash=source, created_by_id=own.created_by_id, **place,
        )  # fmt: skip

    def _child(self, parent: Segment, position: int, text: str) -> ChildChunk:
        return ChildChunk(
            tenant_id=parent.tenant_id, dataset_id=parent.dataset_id, document_id=parent.document_id, segment=parent,
            position=position, content=text, word_count=len(text),
        )  # fmt: skip

    def _drop_the_rest(self) -> None:
        """What people wrote stays, behind the others; the rest goes with its entries."""
        gone = [key for key, edited in self._edited.items() if not edited]
        for start in range(0, len(gone), AT_ONCE):
            with transaction.atomic():
                indexing.share(self._document.dataset_id)
                self._write(segment_count=self.count)
                rows = Segment.objects.filter(pk__in=gone[start : start + AT_ONCE]).only("pk", "index_node_id")
                removal.remove_segments(self._document.dataset, list(rows))
        stays = [key for key, edited in self._edited.items() if edited]
        if stays:
            with transaction.atomic():
                self._write(segment_count=self.count + len(stays))
                places = [
                    (key, {"position": self.count + at, "revision": self._document.revision}) for at, key in enumerate(stays, 1)
                ]
                inserts.update_many(Segment, places)
            self.count += len(stays)
            self.kept += len(stays)
