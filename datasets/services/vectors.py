"""Vectors by the texts' hashes: what one model embedded once, for whichever document, is not asked for again.

1. What is kept is taken.
2. The rest is claimed: by a row without a vector, which only one of several workers can insert. A row of the same claim (a
   job's id: its second attempt goes on with what the first one claimed) or one whose time is over may be taken, too.
3. What is one's own is embedded. What came is committed at once, also when another call failed; other claims are given up.
4. What others claimed is waited for. Who holds a claim waits for nobody, so that nobody waits for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import sleep
from typing import Final, TypeVar
from uuid import UUID

from django.db.models import F, Q

from datasets.models import Dataset, Embedding
from datasets.models.embedding import EmbeddingRows
from difyproj.infra import loop
from difyproj.kernel import clock

from .models import CALLS_AT_ONCE, Embedded, Embedder

CLAIM_SECONDS: Final = 60.0
RENEW_SECONDS: Final = 20.0
# One round of calls, with all that the runtime tries.
ROUND_SECONDS: Final = 600.0
LOOK_SECONDS: Final = 0.1
# Variables of one statement, far below what every database takes.
AT_ONCE: Final = 500
# As long a text as the models' own limits allow for; what is longer is embedded by its beginning.
LONGEST: Final = 32_000

T = TypeVar("T")
Check = Callable[[], object]


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Filling:
    """Makes the vectors of texts. ``check`` is asked while it waits, and ends it by raising."""

    embedder: Embedder
    claim: UUID
    check: Check = lambda: None
    seconds: float = ROUND_SECONDS
    dataset_id: UUID | None = None

    def of(self, texts: Mapping[str, str]) -> dict[str, bytes]:
        """By hash. Raises what the model raises, and TimeoutError."""
        found: dict[str, bytes] = {}
        deadline = clock.monotonic() + self.seconds
        while missing := [key for key in texts if key not in found]:
            found |= self._kept(missing)
            missing = [key for key in missing if key not in found]
            mine = self._claimed(missing) if missing else ()
            if mine:
                self._make({key: texts[key] for key in mine})
            elif missing:
                if clock.monotonic() > deadline:
                    raise TimeoutError("Another worker embeds the same text and does not end.")
                self.check()
                sleep(LOOK_SECONDS)
        return found

    def _rows(self, hashes: Collection[str]) -> EmbeddingRows:
        rows = Embedding.objects.for_tenant(self.embedder.tenant_id)
        return rows.filter(provider=self.embedder.provider, model=self.embedder.model, hash__in=hashes)

    def _kept(self, hashes: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for some in _parts(hashes, AT_ONCE):
            found |= {key: bytes(vector) for key, vector in self._rows(some).made().values_list("hash", "vector")}
        return found

    def _claimed(self, hashes: Sequence[str]) -> list[str]:
        mine: list[str] = []
        for some in _parts(hashes, AT_ONCE):
            until = _later(CLAIM_SECONDS)
            # In one order everywhere, so that two workers do not wait for each other.
            new = [self._row(key, claim=self.claim, claimed_until=until) for key in sorted(some)]
            Embedding.objects.bulk_create(new, ignore_conflicts=True)
            pending = self._rows(some).filter(dimensions=0)
            told = list(pending.values_list("hash", "claim", "claimed_until"))
            if any(holder != self.claim or ends != until for _, holder, ends in told):
                free = pending.filter(Q(claim=self.claim) | Q(claimed_until__lt=clock.now()) | Q(claim=None))
                free.update(claim=self.claim, claimed_until=until)
                told = list(pending.filter(claim=self.claim).values_list("hash", "claim", "claimed_until"))
            mine += [key for key, _, _ in told]
        return mine

    def _make(self, texts: Mapping[str, str]) -> None:
        keys, given = [*texts], [text[:LONGEST] for text in texts.values()]
        try:
            for calls in _parts(self.embedder.calls(given), CALLS_AT_ONCE):
                self.check()
                made = loop.wait(
                    _all(self.embedder, [given[call] for call in calls]), seconds=self.seconds, check=self._renewing()
                )
                self._keep([(keys[call], one) for call, one in zip(calls, made, strict=True) if isinstance(one, Embedded)])
                for one in made:
                    if isinstance(one, BaseException):
                        raise one
        except BaseException:
            for some in _parts(keys, AT_ONCE):
                self._rows(some).filter(claim=self.claim, dimensions=0).delete()
            raise

    def _renewing(self) -> Check:
        """Asks the caller, and keeps what is claimed while a provider takes its time."""
        due = clock.monotonic() + RENEW_SECONDS

        def check() -> None:
            nonlocal due
            self.check()
            if clock.monotonic() >= due:
                due = clock.monotonic() + RENEW_SECONDS
                claimed = Embedding.objects.for_tenant(self.embedder.tenant_id).filter(claim=self.claim, dimensions=0)
                claimed.update(claimed_until=_later(CLAIM_SECONDS))

        return check

    def _keep(self, made: Sequence[tuple[Sequence[str], Embedded]]) -> None:
        """In one transaction, before anything else can fail."""
        rows = [
            self._row(key, dimensions=len(vector) // 4, vector=vector)
            for keys, one in made
            for key, vector in zip(keys, one.vectors, strict=True)
        ]
        Embedding.objects.bulk_create(
            sorted(rows, key=lambda row: row.hash),
            update_conflicts=True,
            unique_fields=["tenant", "provider", "model", "hash"],
            update_fields=["dimensions", "vector", "claim", "claimed_until"],
        )
        if self.dataset_id is not None and made:
            counted = F("embedded_tokens") + sum(one.tokens for _, one in made)
            Dataset.objects.filter(pk=self.dataset_id).update(embedded_tokens=counted)

    def _row(self, key: str, *, dimensions: int = 0, vector: bytes = b"", **claim: UUID | datetime) -> Embedding:
        own = self.embedder
        return Embedding(
            tenant_id=own.tenant_id, provider=own.provider, model=own.model, hash=key, dimensions=dimensions, vector=vector,
            **claim,
        )  # fmt: skip


async def _all(embedder: Embedder, calls: Sequence[Sequence[str]]) -> list[Embedded | BaseException]:
    return await asyncio.gather(*(embedder.embed(texts) for texts in calls), return_exceptions=True)


def _later(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
