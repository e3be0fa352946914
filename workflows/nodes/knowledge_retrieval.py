"""knowledge-retrieval: passages of the tenant's datasets that speak of the query."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from difyproj.kernel.errors import InvalidParam
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import MISSING
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
        found = []
        if text:
            settings = {**msgspec.to_builtins(data), "attachments": files}
            found = [dict(passage) for passage in await ctx.ports.knowledge.retrieve(text, data.dataset_ids or (), settings)]
        yield Done(outputs={"result": found}, inputs={"query": text, "attachments": files})
