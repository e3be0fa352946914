"""Answers that people wrote, given before the model is asked."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from difyproj.kernel.errors import DomainError
from workflows.engine.events import Events, RunStarted, TextChunk
from workflows.engine.layers import Layer
from workflows.engine.ports import ModelPort
from workflows.engine.state import RunState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """``told`` names the annotation and who wrote it, as the contract's ``annotation_reply``."""

    text: str
    told: dict[str, Any]


Find = Callable[[str], Awaitable[WrittenAnswer | None]]


def layer(find: Find, query: str, state: RunState, models: ModelPort) -> Layer:
    """Answers with what was written for such a question; the run within then never begins. Where it cannot be looked for, the
    model is asked as always."""

    async def written_first(source: Events) -> Events:
        async with aclosing(source):
            try:
                found = await find(query)
            except DomainError as error:
                log.warning("Annotations cannot be looked for: %s", error)
                found = None
            if found is None:
                async for event in source:
                    yield event
                return
        yield RunStarted(created_at=int(state.began_at))
        yield TextChunk(found.text)
        end = await state.finished(models, "succeeded", found.text)
        yield msgspec.structs.replace(end, metadata={**end.metadata, "annotation_reply": found.told})

    return written_first
