"""knowledge-retrieval: passages of the tenant's datasets that speak of the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Literal

import msgspec

from difyproj.kernel import structs
from difyproj.kernel.errors import InvalidParam
from workflows.engine import knowledge_choice, model_call, template
from workflows.engine import usage as costs
from workflows.engine.events import Usage
from workflows.engine.model_config import ModelChoice
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import MISSING, VariablePool
from workflows.engine.values import files_of, to_text


class KnowledgeRetrievalData(msgspec.Struct, frozen=True):
    """How to search is read by whoever searches; here only the parts that all ways share are."""

    query_variable_selector: tuple[str, ...] | None = ()
    query_attachment_selector: tuple[str, ...] | None = ()
    dataset_ids: list[str] | None = None
    retrieval_mode: Literal["single", "multiple"] | None = "multiple"
    multiple_retrieval_config: dict[str, Any] | None = None
    single_retrieval_config: dict[str, Any] | None = None
    metadata_filtering_mode: Literal["disabled", "automatic", "manual"] | None = "disabled"
    metadata_model_config: dict[str, Any] | None = None
    metadata_filtering_conditions: dict[str, Any] | None = None


class KnowledgeRetrievalNode(Node[KnowledgeRetrievalData]):
    schema = KnowledgeRetrievalData

    async def run(self, ctx: NodeContext[KnowledgeRetrievalData]) -> NodeStream:
        """An empty query finds nothing and asks nobody."""
        data = ctx.data
        selector = data.query_variable_selector or ()
        query = ctx.pool.get(selector, MISSING) if selector else ""
        if query is MISSING:
            raise InvalidParam(f"Variable {'.'.join(selector)} not found.", params="query_variable_selector")
        text = to_text(query).strip()
        files = files_of(ctx.pool.get(data.query_attachment_selector or ()))
        if not text or not data.dataset_ids:
            yield Done(outputs={"result": []}, inputs={"query": text, "attachments": files})
            return
        search = _Search(ctx, text)
        chosen = await search.chosen()
        conditions = await search.conditions()
        settings = {**msgspec.to_builtins(data), "metadata_filtering_conditions": conditions, "attachments": files}
        found = [dict(one) for one in await ctx.ports.knowledge.retrieve(text, chosen, settings)] if chosen else []
        yield Done(
            outputs={"result": found},
            inputs={"query": text, "attachments": files},
            process_data=search.decided(chosen, conditions),
            usage=search.usage,
        )


class _Search:
    """What is decided before the search, some of it by models."""

    def __init__(self, ctx: NodeContext[KnowledgeRetrievalData], text: str) -> None:
        self._ctx, self._text = ctx, text
        self._known: Sequence[Mapping[str, Any]] | None = None
        self._spent: list[Usage] = []

    @property
    def usage(self) -> Usage | None:
        return reduce(costs.add, self._spent, Usage()) if self._spent else None

    async def chosen(self) -> Sequence[str]:
        """The datasets that are asked: all of them, or the one that a model chooses."""
        data = self._ctx.data
        if data.retrieval_mode != "single":
            return data.dataset_ids or ()
        known = await self._about()
        model = _model(
            (data.single_retrieval_config or {}).get("model"), "single_retrieval_config.model", is_needed=len(known) > 1
        )
        one, usage = await knowledge_choice.collection(self._ctx, model, self._text, known)
        self._note(usage)
        return [one] if one else ()

    async def conditions(self) -> dict[str, Any] | None:
        data = self._ctx.data
        given = data.metadata_filtering_conditions or {}
        if data.metadata_filtering_mode == "manual":
            rows = given.get("conditions") or ()
            return {**given, "conditions": [_filled(row, self._ctx.pool) for row in rows]}
        if data.metadata_filtering_mode != "automatic":
            return None
        model = _model(data.metadata_model_config, "metadata_model_config")
        rows, usage = await knowledge_choice.conditions(self._ctx, model, self._text, await self._about())
        self._note(usage)
        return {"logical_operator": given.get("logical_operator") or "or", "conditions": rows} if rows else None

    def decided(self, chosen: Sequence[str], conditions: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """For those who look into the run."""
        if not self._spent:
            return None
        told: dict[str, Any] = {"usage": model_call.spent(self.usage or Usage()), "dataset_ids": list(chosen)}
        return {**told, "metadata_filtering_conditions": conditions} if conditions else told

    async def _about(self) -> Sequence[Mapping[str, Any]]:
        if self._known is None:
            self._known = await self._ctx.ports.knowledge.about(self._ctx.data.dataset_ids or ())
        return self._known

    def _note(self, usage: Usage | None) -> None:
        if usage is not None:
            self._spent.append(usage)


def _model(raw: Any, field: str, *, is_needed: bool = True) -> ModelChoice:
    if not isinstance(raw, Mapping) or not raw.get("provider") or not raw.get("name"):
        if is_needed:
            raise InvalidParam("The node needs a model to choose with.", params=field)
        return ModelChoice("", "")
    try:
        return structs.convert(dict(raw), ModelChoice)
    except msgspec.ValidationError as error:
        raise InvalidParam(f"The node's model cannot be read: {error}.", params=field) from error


def _filled(row: Any, pool: VariablePool) -> Any:
    """A condition whose value may refer to variables."""
    if not isinstance(row, Mapping):
        return row
    value = row.get("value")
    if isinstance(value, list):
        return {**row, "value": [_text(one, pool) for one in value]}
    return {**row, "value": _text(value, pool)}


def _text(value: Any, pool: VariablePool) -> Any:
    return template.parse(value).render(pool) if isinstance(value, str) else value
