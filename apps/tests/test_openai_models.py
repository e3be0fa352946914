"""GET /v1/models and POST /v1/embeddings, asked by the stock client."""

from __future__ import annotations

import asyncio
import base64
import math
import struct
from typing import Any

import openai
import pytest

from accounts.services import default_models
from apps.models import Message
from apps.services import apps
from difyproj.infra.models import IdempotencyKey
from difyproj.model_runtime import tokens
from difyproj.model_runtime.base import ModelType
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from difyproj.testing.upstream.script import vector

from .openai_client import assert_openai_error, client_of

EMBEDDING = "text-embedding-3-small"


async def embed(house: Served, **fields: Any) -> Any:
    return await house.call("POST", "/v1/embeddings", json={"model": "x", **fields})


async def test_the_app_and_the_embedding_model_are_the_models(house: Served) -> None:
    async with client_of(house) as client:
        found = [model async for model in client.models.list()]
        assert [model.id for model in found] == ["alices-chat", EMBEDDING]
        assert {(model.object, model.owned_by) for model in found} == {("model", "workspace")}
        assert found[0].created == int(house.chat.app.created_at.timestamp())
        assert [await client.models.retrieve(model.id) for model in found] == found
    async with client_of(house, house.foreign) as client:
        assert [model.id async for model in client.models.list()] == ["eves-chat", EMBEDDING]
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("alices-chat")


async def test_an_app_whose_name_makes_no_slug_is_named_after_its_mode(house: Served) -> None:
    house.chat.app = await asyncio.to_thread(apps.update, house.chat.app, name="智能助手 🤖")
    answer = await house.call("GET", "/v1/models/app-chat")
    assert (answer.status, answer.json()["id"]) == (200, "app-chat")


async def test_a_model_with_a_path_for_a_name_is_found(house: Served) -> None:
    await use_embedding(house, "BAAI/bge-m3")
    async with client_of(house) as client:
        assert (await client.models.retrieve("BAAI/bge-m3")).id == "BAAI/bge-m3"


async def use_embedding(house: Served, model: str, provider: str = "openai") -> None:
    await asyncio.to_thread(
        default_models.update,
        tenant=house.cast.alice.tenant,
        model_type=ModelType.TEXT_EMBEDDING,
        provider=provider,
        model=model,
    )


async def test_texts_are_embedded_in_order_by_the_workspaces_model(house: Served) -> None:
    texts = ["one two", "three"]
    async with client_of(house) as client:
        made = await client.embeddings.create(model="x", input=texts)
        plain = await client.embeddings.create(model="x", input=texts, encoding_format="float")
    assert [row.index for row in made.data] == [0, 1]
    assert [row.embedding for row in plain.data] == [list(vector(text, 4)) for text in texts]
    for row, text in zip(made.data, texts, strict=True):
        assert row.embedding == pytest.approx(vector(text, 4), rel=1e-6), "the client asks for base64 by itself"
    assert (made.model, made.object, made.usage.prompt_tokens, made.usage.total_tokens) == (EMBEDDING, "list", 3, 3)
    assert house.upstream.last.body["model"] == EMBEDDING
    assert await Message.objects.acount() == 0


async def test_base64_is_little_endian_floats(house: Served) -> None:
    answer = await embed(house, input="one", encoding_format="base64")
    raw = base64.b64decode(answer.json()["data"][0]["embedding"])
    assert struct.unpack("<4f", raw) == pytest.approx(vector("one", 4), rel=1e-6)


async def test_tokens_are_read_as_the_text_they_stand_for(house: Served) -> None:
    if await tokens.exact("hello world", EMBEDDING) != 2:
        pytest.skip("no ranks")
    async with client_of(house) as client:
        await client.embeddings.create(model="x", input=[[15339, 1917], [15339]])
        assert house.upstream.last.body["input"] == ["hello world", "hello"]
        await client.embeddings.create(model="x", input=[15339, 1917])
        assert house.upstream.last.body["input"] == ["hello world"]
    assert_openai_error(await embed(house, input=[10**9]), 400, "invalid_param", param="input")
    assert_openai_error(await embed(house, input=[[2**70]]), 400, "invalid_param", param="input")


async def test_vectors_are_shortened_where_the_model_allows_it(house: Served) -> None:
    async with client_of(house) as client:
        made = await client.embeddings.create(model="x", input="one", dimensions=2)
    whole = vector("one", 4)
    length = math.hypot(*whole[:2])
    assert made.data[0].embedding == pytest.approx([number / length for number in whole[:2]], rel=1e-6)
    assert_openai_error(await embed(house, input="one", dimensions=5), 400, "invalid_param", param="dimensions")
    await use_embedding(house, "text-embedding-ada-002")
    assert_openai_error(await embed(house, input="one", dimensions=2), 400, "invalid_param", param="dimensions")


async def test_the_built_in_model_embeds_too(house: Served) -> None:
    await use_embedding(house, "demo-embedding", "demo")
    async with client_of(house) as client:
        made = await client.embeddings.create(model="x", input="whales")
    assert (len(made.data[0].embedding), made.model) == (256, "demo-embedding")
    assert made.usage.prompt_tokens > 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input[0]"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 1]}, "input[1]"),
        ({"input": [[]]}, "input[0]"),
        ({"input": [-1]}, "input[0]"),
        ({"input": [True]}, "input[0]"),
        ({"input": [[1.5]]}, "input[0]"),
        ({"input": ["x"] * 2049}, "input"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "x", "dimensions": 0}, "dimensions"),
    ],
)
async def test_what_cannot_be_embedded_is_refused(house: Served, fields: dict[str, Any], param: str) -> None:
    assert_openai_error(await embed(house, **fields), 400, "invalid_param", param=param)
    assert house.upstream.requests == 0


async def test_a_provider_that_refuses_is_told(house: Served) -> None:
    house.upstream.script = Script(fail=400, fail_message="Too long.")
    answer = await embed(house, input="x")
    assert_openai_error(answer, 400, "completion_request_error", kind="api_error")


async def test_without_a_default_model_there_are_no_embeddings(house: Served) -> None:
    tenant = house.cast.alice.tenant
    row = await asyncio.to_thread(default_models.get, tenant, ModelType.TEXT_EMBEDDING)
    assert row is not None
    await row.adelete()
    assert_openai_error(await embed(house, input="x"), 400, "provider_not_initialize")
    assert [model["id"] for model in (await house.call("GET", "/v1/models")).json()["data"]] == ["alices-chat"]


async def test_the_answer_of_an_embedding_is_not_kept_under_a_key(house: Served) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "k-1"}
        assert (await house.call("POST", "/v1/embeddings", json={"input": "x"}, headers=headers)).status == 200
    assert await IdempotencyKey.objects.acount() == 0
