"""Graphs with knowledge: what was found before a pause is still cited, and what an app file names is looked for at home."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps import generation
from apps.models import App, Message
from apps.services import dsl
from difyproj.infra import backends
from difyproj.testing.served import Served

from .flows import answer, ask, edge, llm, make_flow, node, start
from .library import PAID, REFUND, SHOWN, library
from .test_flow_crashes import until_over
from .test_flow_pauses import asking, token_of


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def flow(house: Served, *dataset_ids: str, **data: Any) -> App:
    """Looks, asks a person, then answers."""
    config = {"top_k": 1, "score_threshold": None, "reranking_enable": True, "reranking_mode": "reranking_model"}
    find = node(
        "find", "knowledge-retrieval", query_variable_selector=["sys", "query"], dataset_ids=list(dataset_ids),
        retrieval_mode="multiple", multiple_retrieval_config=config, **data,
    )  # fmt: skip
    context = {"enabled": True, "variable_selector": ["find", "result"]}
    nodes = [start(), find, asking(), llm(text="{{#context#}}", context=context), answer("{{#llm.text#}}")]
    edges = [edge("start", "find"), edge("find", "form"), edge("form", "llm", "yes"), edge("llm", "answer")]
    made: App = await sync_to_async(make_flow)(
        house.cast.alice, {"nodes": nodes, "edges": edges}, "advanced-chat", features=SHOWN
    )
    return made


async def test_what_was_found_before_a_pause_is_cited_after_it(house: Served) -> None:
    dataset = await library(house.cast.alice)
    asked = await ask(await flow(house, str(dataset.pk)), query="How long do refunds take?")
    heard = await asked.records()
    await sync_to_async(generation.submit_form)(token_of(heard), action="yes", inputs={"why": "x"})
    await until_over(asked.run_id)
    message = await Message.objects.aget(run_id=asked.run_id)
    assert [one["content"] for one in message.metadata["retriever_resources"]] == [REFUND]
    assert message.metadata["retriever_resources"][0]["message_id"] == str(message.pk)


async def test_conditions_of_a_graph_choose_documents(house: Served) -> None:
    dataset = await library(house.cast.alice)

    async def cited(year: str) -> list[str]:
        rows = [{"name": "year", "comparison_operator": "=", "value": year}]
        given = {"logical_operator": "and", "conditions": rows}
        app = await flow(house, str(dataset.pk), metadata_filtering_mode="manual", metadata_filtering_conditions=given)
        asked = await ask(app, query=PAID)
        finished = [record["data"] for _, record in await asked.records() if record["event"] == "node_finished"]
        (found,) = [one["outputs"]["result"] for one in finished if one["node_id"] == "find"]
        return [one["content"] for one in found]

    assert await cited("2026") == [PAID]
    assert await cited("1999") == []


async def test_a_dry_run_tells_which_datasets_are_not_this_workspaces(house: Served) -> None:
    own, foreign = await library(house.cast.alice), await library(house.cast.eve)
    sealed = "nJb5uWkAqGZ7cGXe3gkS0t0iQmFzZTY0IG9mIHNvbWV0aGluZw=="
    document = await sync_to_async(dsl.document_of)(await flow(house, str(own.pk), str(foreign.pk), sealed))
    findings = await sync_to_async(dsl.check)(document, house.cast.alice.tenant)
    assert {one.name for one in findings if one.kind == "dataset"} == {str(foreign.pk), sealed}
