"""Knowledge that another system keeps: asked over HTTP, and answered to others by the same contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from asgiref.sync import sync_to_async

from apps.models.token import TokenKind
from apps.services import tokens
from datasets.models import Dataset, ExternalKnowledgeApi
from datasets.services import external_apis, retrieval
from datasets.services.external import ExternalKnowledgeFailed
from datasets.services.retrieval import Passages
from difyproj.testing.cast import Person
from difyproj.testing.served import Answer, Served

from .library import PAID, REFUND, SHOWN, configs, library

KEY = "external-key-0123456789"


def _connect(person: Person, endpoint: str, key: str, knowledge_id: str, **values: Any) -> Dataset:
    row: ExternalKnowledgeApi = external_apis.create(principal=person.principal, name="Else", endpoint=endpoint, api_key=key)
    return Dataset.objects.create(
        tenant=person.tenant, name="Elsewhere", provider="external", external_api=row, external_knowledge_id=knowledge_id,
        permission="all_team_members", **values,
    )  # fmt: skip


connect = sync_to_async(_connect)


async def search(person: Person, dataset: Dataset, query: str = "refunds", **model: Any) -> Passages:
    asker = await sync_to_async(retrieval.asker)(person.principal)
    return await retrieval.retrieve(asker, query, [dataset.pk], retrieval.parse(model))


@asynccontextmanager
async def system(answer: Any, status: int = 200) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Another system on the loopback; what it is asked is kept."""
    asked: list[dict[str, Any]] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append({**await request.json(), "key": request.headers.get("Authorization"), "path": request.path})
        return web.Response(body=answer, status=status) if isinstance(answer, bytes) else web.json_response(answer)

    application = web.Application()
    application.router.add_post("/{any:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield f"http://127.0.0.1:{port}/api", asked
    finally:
        await runner.cleanup()


RECORDS = {
    "records": [
        {"content": "Less", "score": 0.2, "title": "b.txt", "metadata": None},
        {"content": "More", "score": 0.9, "title": "a.txt", "metadata": {"path": "s3://a"}},
        {"content": "", "score": 1},
        "nothing",
    ]
}


async def test_another_system_is_asked_in_the_contracts_words(house: Served) -> None:
    async with system(RECORDS) as (url, asked):
        dataset = await connect(
            house.cast.alice, url, KEY, "k-1", external_retrieval_model={"top_k": 3, "score_threshold": 0.5}
        )
        rows = [{"name": "year", "comparison_operator": "≥", "value": 2020}]
        made = await search(house.cast.alice, dataset, metadata_filtering_conditions={"conditions": rows})
    condition = {"logical_operator": "and", "conditions": [{**rows[0], "name": ["year"]}]}
    assert asked == [
        {
            "knowledge_id": "k-1", "query": "refunds", "retrieval_setting": {"top_k": 3, "score_threshold": 0.5},
            "metadata_condition": condition, "key": f"Bearer {KEY}", "path": "/api/retrieval",
        }
    ]  # fmt: skip
    (one,) = made.passages
    assert one.external is not None and one.segment is None
    assert (one.content, one.score, one.external.title, one.external.metadata) == ("More", 0.9, "a.txt", {"path": "s3://a"})


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [(b"{}", 200, "list of records"), (b"no", 200, "no JSON"), (b"{}", 403, "status 403"), (b"[]", 200, "list of records")],
)
async def test_a_system_that_does_not_answer_is_named(house: Served, answer: bytes, status: int, said: str) -> None:
    async with system(answer, status) as (url, _):
        dataset = await connect(house.cast.alice, url, KEY, "k-1")
        with pytest.raises(ExternalKnowledgeFailed, match=said) as refused:
            await search(house.cast.alice, dataset)
    assert KEY not in str(refused.value)
    with pytest.raises(ExternalKnowledgeFailed, match="cannot be asked"):
        await search(house.cast.alice, dataset)


async def serve(house: Served, person: Person, **body: Any) -> Answer:
    _, token = await sync_to_async(tokens.create)(tenant=person.tenant, kind=TokenKind.DATASET)
    return await house.call("POST", "/v1/retrieval", headers={"Authorization": f"Bearer {token}"}, json=body)


async def test_a_dataset_answers_others_and_what_they_say_is_cited(house: Served) -> None:
    """Eve's workspace asks Acme's dataset over the wire, with a key that Acme gave her."""
    dataset = await library(house.cast.alice)
    _, token = await sync_to_async(tokens.create)(tenant=house.cast.alice.tenant, kind=TokenKind.DATASET)
    there = await connect(house.cast.eve, f"{house.url}/v1", token, str(dataset.pk))
    key = house.foreign
    await house.configure(key, dataset_configs=configs(there, top_k=1), **SHOWN)
    frames = (await house.ask("How long do refunds take?", key=key)).frames
    (cited,) = frames[-1].record["metadata"]["retriever_resources"]
    assert (cited["content"], cited["dataset_name"], cited["document_name"]) == (REFUND, "Elsewhere", "manual.md")
    assert (cited["data_source_type"], cited["doc_metadata"]["year"]) == ("external", 2026)


async def test_the_contract_is_served_with_threshold_and_conditions(house: Served) -> None:
    alice = house.cast.alice
    dataset = await library(alice)
    told = await serve(house, alice, knowledge_id=str(dataset.pk), query=PAID, retrieval_setting={"top_k": 1})
    (record,) = told.json()["records"]
    assert (record["content"], record["title"], set(record)) == (PAID, "manual.md", {"content", "score", "title", "metadata"})
    assert record["score"] > 0.99 and record["metadata"]["year"] == 2026
    setting = {"top_k": 5, "score_threshold": 0.9}
    assert (
        len((await serve(house, alice, knowledge_id=str(dataset.pk), query=PAID, retrieval_setting=setting)).json()["records"])
        == 1
    )
    condition = {"conditions": [{"name": ["year"], "comparison_operator": "<", "value": 2000}]}
    none = await serve(house, alice, knowledge_id=str(dataset.pk), query=PAID, metadata_condition=condition)
    assert none.json() == {"records": []}


async def test_what_is_not_the_keys_is_not_there(house: Served) -> None:
    dataset = await library(house.cast.alice)
    refused = await serve(house, house.cast.eve, knowledge_id=str(dataset.pk), query="refunds")
    assert (refused.status, refused.json()["code"]) == (404, "not_found")
    there = await connect(house.cast.alice, "https://knowledge.example", KEY, "k")
    loop = await serve(house, house.cast.alice, knowledge_id=str(there.pk), query="refunds")
    assert (loop.status, loop.json()["code"]) == (400, "invalid_param")
    for body in ({}, {"knowledge_id": "x"}, {"knowledge_id": str(dataset.pk), "query": "x", "retrieval_setting": {"top_k": 0}}):
        assert (await serve(house, house.cast.alice, **body)).status in (400, 404)
