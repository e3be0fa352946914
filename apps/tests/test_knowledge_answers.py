"""Answers that lean on knowledge, in every mode: what the model is told, and what readers are told it was told."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async

from apps.models import DatasetUse, Message
from apps.services import apps
from datasets.models import Dataset, DatasetQuery, Segment
from difyproj.kernel.principal import Tier
from difyproj.model_runtime.messages import ToolCall
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from workflows.services import drafts

from .console_crew import Crew, data
from .flows import answer, llm, make_flow, node, row, start
from .library import PAID, REFUND, SHIPPED, SHOWN, configs, library
from .test_flow_transcripts import act as act_flow
from .test_transcripts import act, conversation

RESOURCE = {
    "id", "message_id", "position", "dataset_id", "dataset_name", "document_id", "document_name", "data_source_type",
    "segment_id", "score", "hit_count", "word_count", "segment_position", "index_node_hash", "content", "summary", "created_at",
}  # fmt: skip
PLACE = {"page", "start", "end", "boxes"}


def searching(*datasets: Dataset, **data: Any) -> dict[str, Any]:
    """A chatflow that looks into datasets."""
    search = {"query_variable_selector": ["sys", "query"], "dataset_ids": [str(one.pk) for one in datasets], **data}
    search = {"retrieval_mode": "multiple", "multiple_retrieval_config": {"top_k": 1}, **search}
    context = {"enabled": True, "variable_selector": ["find", "result"]}
    return row(
        start(), node("find", "knowledge-retrieval", **search),
        llm(text="Known: {{#context#}} Asked: {{#sys.query#}}", context=context), answer("{{#llm.text#}}"),
    )  # fmt: skip


def told(house: Served) -> str:
    """All that the model was told last."""
    return "\n".join(str(message["content"]) for message in house.upstream.last.body["messages"])


async def message() -> Message:
    found = await Message.objects.order_by("-created_at").afirst()
    assert found is not None
    return found


async def test_a_chat_with_knowledge(house: Served) -> None:
    dataset = await library(house.cast.alice)
    await house.configure(house.chat, dataset_configs=configs(dataset, top_k=1), pre_prompt="Be brief.", **SHOWN)
    await act(house, "chat", "knowledge", "How long do refunds take?")
    system = house.upstream.last.body["messages"][0]["content"]
    assert REFUND in system and SHIPPED not in system and system.endswith("Be brief.")
    (cited,) = (await message()).metadata["retriever_resources"]
    segment = await Segment.objects.aget(content=REFUND)
    assert set(cited) >= RESOURCE | PLACE
    assert (cited["segment_id"], cited["position"], cited["hit_count"]) == (str(segment.pk), 1, 1)
    assert (cited["document_name"], cited["start"]) == ("manual.md", segment.start)
    assert segment.hit_count == 2
    query = await DatasetQuery.objects.afirst()
    assert query is not None and (query.source, query.app_id, query.created_by_role) == ("app", house.chat.app.pk, "end_user")
    listed = await house.call("GET", "/v1/messages", params={"user": "u1", "conversation_id": await conversation(house)})
    assert listed.json()["data"][0]["retriever_resources"][0]["segment_id"] == str(segment.pk)


async def test_a_chatflow_with_knowledge(house: Served) -> None:
    dataset = await library(house.cast.alice)
    flow = await sync_to_async(make_flow)(house.cast.alice, searching(dataset), "advanced-chat", features=SHOWN)
    await act_flow(flow, "chatflow_knowledge", query="How long do refunds take?")
    assert f"Known: {REFUND}" in told(house)
    (cited,) = (await message()).metadata["retriever_resources"]
    assert (cited["content"], cited["retriever_from"], cited["doc_metadata"]) == (REFUND, "workflow", {"year": 2026})


async def test_visitors_are_told_citations_in_short(house: Served) -> None:
    dataset = await library(house.cast.alice)
    flow = await sync_to_async(make_flow)(house.cast.alice, searching(dataset), "advanced-chat", features=SHOWN)
    await act_flow(flow, "chatflow_knowledge_web", tier=Tier.WEB, query="How long do refunds take?")


async def test_an_app_that_shows_no_sources_tells_none(house: Served) -> None:
    dataset = await library(house.cast.alice)
    await house.configure(house.chat, dataset_configs=configs(dataset))
    frames = (await house.ask("How long do refunds take?")).frames
    assert frames[-1].record["metadata"]["retriever_resources"] == []
    assert REFUND in told(house)


async def test_a_generator_is_asked_by_the_input_that_it_names(house: Served) -> None:
    dataset = await library(house.cast.alice)
    chosen = {"dataset_configs": configs(dataset, top_k=1), "dataset_query_variable": "query"}
    await house.configure(house.completion, **chosen, **SHOWN)
    body = {"inputs": {"query": "when are parcels shipped"}, "query": "refunds", "user": "u1", "response_mode": "blocking"}
    reply = (await house.call("POST", "/v1/completion-messages", key=house.completion, json=body)).json()
    assert [one["content"] for one in reply["metadata"]["retriever_resources"]] == [SHIPPED]
    assert SHIPPED in told(house)


async def test_the_model_chooses_where_an_app_looks(house: Served) -> None:
    manual, menu = await library(house.cast.alice), await library(house.cast.alice, "Soup is served at noon.", name="Menu")
    await house.configure(house.chat, dataset_configs=configs(manual, menu, retrieval_model="single"), **SHOWN)
    house.upstream.script = Script(tool_calls=[ToolCall("c1", str(menu.pk), "{}")], tokens=["ok"])
    frames = (await house.ask("When are refunds made?")).frames
    cited = frames[-1].record["metadata"]["retriever_resources"]
    assert [one["dataset_name"] for one in cited] == ["Menu"]
    assert house.upstream.requests == 2


async def test_several_datasets_are_cited_in_one_order(house: Served) -> None:
    manual, more = await library(house.cast.alice), await library(house.cast.alice, f"{REFUND} Always.", name="More")
    weights = {"vector_setting": {"vector_weight": 0.5}, "keyword_setting": {"keyword_weight": 0.5}}
    given = configs(manual, more, top_k=3, reranking_mode="weighted_score", weights=weights)
    await house.configure(house.chat, dataset_configs=given, **SHOWN)
    cited = (await house.ask("refunds need the receipt")).frames[-1].record["metadata"]["retriever_resources"]
    assert [one["position"] for one in cited] == [1, 2, 3]
    assert {cited[0]["dataset_name"], cited[1]["dataset_name"]} == {"Manual", "More"}
    assert cited[0]["score"] >= cited[1]["score"] > cited[2]["score"]


async def test_another_workspaces_datasets_are_nobodys_here(house: Served) -> None:
    foreign = await library(house.cast.eve)
    await house.configure(house.chat, dataset_configs=configs(foreign), **SHOWN)
    frames = (await house.ask("How long do refunds take?")).frames
    assert frames[-1].event == "message_end" and frames[-1].record["metadata"]["retriever_resources"] == []
    assert REFUND not in told(house)
    assert not await DatasetUse.objects.aexists() and not await DatasetQuery.objects.aexists()


async def test_who_saves_an_app_adds_only_what_they_may_see(house: Served) -> None:
    alice, bob, app = house.cast.alice, house.cast.bob, house.chat.app
    own = await library(alice, permission="only_me", created_by_id=alice.account.pk)
    shared = await library(alice, name="Shared")

    async def saved(by: Any, *datasets: Dataset) -> set[Any]:
        config = {**app.config, "dataset_configs": configs(*datasets)}
        await sync_to_async(apps.configure)(app, config, by=by.account.pk)
        return {use.dataset_id async for use in DatasetUse.objects.filter(app=app)}

    assert await saved(bob, own, shared) == {shared.pk}
    assert await saved(alice, own, shared) == {own.pk, shared.pk}
    assert await saved(bob, own) == {own.pk}
    assert await saved(alice) == set()


async def test_a_graph_asks_what_any_of_its_versions_names(house: Served) -> None:
    alice = house.cast.alice
    first, second = await library(alice), await library(alice, name="Second")
    flow = await sync_to_async(make_flow)(alice, searching(first), "advanced-chat")

    async def used() -> set[Any]:
        return {use.dataset_id async for use in DatasetUse.objects.filter(app=flow)}

    assert await used() == {first.pk}
    await sync_to_async(drafts.save)(flow, by=alice.account.pk, given_hash=None, graph=searching(second))
    assert await used() == {first.pk, second.pk}
    await sync_to_async(drafts.save)(flow, by=alice.account.pk, given_hash=None, graph=searching())
    assert await used() == {first.pk}


async def test_the_logs_show_what_an_answer_leaned_on(house: Served, crew: Crew) -> None:
    dataset = await library(house.cast.alice)
    await house.configure(house.chat, dataset_configs=configs(dataset, top_k=1), **SHOWN)
    await house.ask("How long do refunds take?")
    found = await message()
    path = f"/apps/{house.chat.app.pk}/chat-messages"
    (line,) = data(await crew.alice.get(path, conversation_id=str(found.conversation_id)))
    assert [one["content"] for one in line["metadata"]["retriever_resources"]] == [REFUND]


async def test_an_answer_that_is_stopped_keeps_its_sources(house: Served) -> None:
    dataset = await library(house.cast.alice)
    await house.configure(house.chat, dataset_configs=configs(dataset, top_k=1), **SHOWN)
    house.upstream.script = Script(tokens=["One", " two"], hang="end")
    async with house.asking(PAID) as response:
        first = await response.content.readuntil(b"\n\n")
        task = first.decode().split('"task_id":"')[1].split('"')[0]
        await house.call("POST", f"/v1/chat-messages/{task}/stop", json={"user": "u1"})
        await response.read()
    assert [one["content"] for one in (await message()).metadata["retriever_resources"]] == [PAID]
