"""External knowledge: another system is asked over HTTP, in Dify's external knowledge contract.

``POST {endpoint}/retrieval`` with ``knowledge_id``, ``query`` and ``retrieval_setting``; it answers with ``records``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import msgspec

from datasets.models import Dataset
from datasets.rag.filters import Filter
from difyproj.infra.egress import egress
from difyproj.kernel import jsonio
from difyproj.kernel.errors import DomainError
from difyproj.kernel.http import Timeout

from . import external_apis, retrieval_settings
from .found import Passage, Said
from .retrieval_settings import Settings

TIMES: Final = Timeout(connect=5, read=20, total=20)
LARGEST: Final = 4 * 1024 * 1024
LONGEST: Final = 100_000
"""Characters of one record."""


class ExternalKnowledgeFailed(DomainError):
    """The other system refused, cannot be reached, or says what is no answer."""

    code: ClassVar[str] = "external_knowledge_failed"
    default_message = "The external knowledge API did not answer."


@dataclass(frozen=True, slots=True)
class Place:
    """Where one dataset's knowledge is asked for. ``threshold`` is asked again of what comes back."""

    dataset: Dataset
    endpoint: str = field(repr=False)
    key: str = field(repr=False)
    top_k: int
    threshold: float | None
    filter: Filter | None = None

    def body(self, query: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "retrieval_setting": {"top_k": self.top_k, "score_threshold": self.threshold or 0.0},
            "query": query,
            "knowledge_id": self.dataset.external_knowledge_id,
        }
        if self.filter is not None:
            rows = [
                {"name": [one.name], "comparison_operator": one.operator, "value": one.value} for one in self.filter.conditions
            ]
            body["metadata_condition"] = {"logical_operator": self.filter.logic, "conditions": rows}
        return body


def place(dataset: Dataset, settings: Settings) -> Place:
    """A dataset with its external API; its own settings count before the asker's, ``settings.external`` before both."""
    assert dataset.external_api is not None
    usual: Mapping[str, Any] = {"top_k": settings.top_k, "score_threshold": settings.score_threshold}
    own = {name: value for name, value in (dataset.external_retrieval_model or {}).items() if value is not None}
    asked = retrieval_settings.parse({**usual, **own, **(settings.external or {})})
    return Place(
        dataset=dataset,
        endpoint=dataset.external_api.endpoint.rstrip("/"),
        key=external_apis.opened_key(dataset.external_api),
        top_k=asked.top_k,
        threshold=asked.score_threshold,
        filter=settings.filter,
    )


async def ask_all(places: Sequence[Place], query: str) -> list[Passage]:
    """What all of them say. Raises ExternalKnowledgeFailed when one does not answer."""
    return [passage for said in await asyncio.gather(*(ask(place, query) for place in places)) for passage in said]


async def ask(place: Place, query: str) -> list[Passage]:
    """Best first. Raises ExternalKnowledgeFailed."""
    answer = await _answer(place, place.body(query))
    records = answer.get("records") if isinstance(answer, Mapping) else None
    if not isinstance(records, list):
        raise ExternalKnowledgeFailed("The external knowledge API answered without a list of records.")
    found = [_passage(place, record) for record in records if isinstance(record, Mapping) and record.get("content")]
    reached = [one for one in found if place.threshold is None or one.score >= place.threshold]
    return sorted(reached, key=lambda one: -one.score)[: place.top_k]


async def _answer(place: Place, body: Mapping[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {place.key}"} if place.key else {}
    try:
        async with egress().open("POST", f"{place.endpoint}/retrieval", headers=headers, json=body, timeout=TIMES) as answer:
            if answer.status != 200:
                raise ExternalKnowledgeFailed(f"The external knowledge API answered with status {answer.status}.")
            return jsonio.loads(await answer.read(LARGEST))
    except ExternalKnowledgeFailed:
        raise
    except DomainError as error:
        raise ExternalKnowledgeFailed(f"The external knowledge API cannot be asked: {error.message}") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise ExternalKnowledgeFailed("The external knowledge API answered with what is no JSON.") from error


def _passage(place: Place, record: Mapping[str, Any]) -> Passage:
    metadata, worth = record.get("metadata"), _score(record.get("score"))
    told = Said(
        content=str(record["content"])[:LONGEST].replace("\0", ""),
        title=str(record.get("title") or "")[:255].replace("\0", ""),
        metadata=jsonio.storable(dict(metadata)) if isinstance(metadata, Mapping) else {},
    )
    return Passage(place.dataset, worth, external=told, why={"external": worth, "score": worth})


def _score(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(min(max(value, 0), 1))
