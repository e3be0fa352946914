"""What files would be split into, before anything is kept: the first passages, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, Final
from uuid import UUID

from datasets.models import DocForm
from datasets.rag.extract.base import NeedsVision
from datasets.rag.split import Piece, Rule, clean, split
from difyproj.infra import documents
from difyproj.infra.storage import get_storage
from difyproj.kernel.errors import InvalidParam

SHOWN: Final = 10
MOST_PIECES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A file in the storage that may become a document."""

    key: str
    extension: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """``total`` stops at MOST_PIECES for each file."""

    total: int
    preview: Sequence[Piece]


def estimate(drafts: Sequence[Draft], *, tenant_id: UUID, rule: Mapping[str, Any] | None, doc_form: str) -> Estimate:
    """Blocks while the files are read. Raises InvalidParam for a rule, a form or a file that cannot be read."""
    parsed = Rule.parse(rule)
    total = 0
    preview: list[Piece] = []
    for draft in drafts:
        with ExitStack() as held:
            for piece in islice(_pieces(held, draft, tenant_id, parsed, doc_form), MOST_PIECES):
                total += 1
                if len(preview) < SHOWN:
                    preview.append(piece)
    return Estimate(total, preview)


def _pieces(held: ExitStack, draft: Draft, tenant_id: UUID, rule: Rule, doc_form: str) -> Iterator[Piece]:
    file: IO[bytes] = held.enter_context(get_storage().open(draft.key))
    reading = held.enter_context(
        documents.stream(file, extension=draft.extension, mime_type=draft.mime_type, owner=str(tenant_id))
    )
    try:
        yield from split(clean(reading, rule), rule, doc_form or DocForm.TEXT, ask=_ask)
    except NeedsVision as error:
        raise InvalidParam("A picture is described by a model only when it is indexed.") from error


def _ask(passage: str) -> list[tuple[str, str]]:
    """What a model would make of the passage is not asked for a preview."""
    return [(passage, "")]
