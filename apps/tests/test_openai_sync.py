"""The stock client as most people use it: synchronous, with its own retries and helpers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from openai import OpenAI
from pydantic import BaseModel

from apps.models import Message
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script

from .openai_client import USER


@pytest.fixture
def client(house: Served) -> Any:
    return OpenAI(api_key=house.chat.token, base_url=f"{house.url}/v1")


async def call(work: Callable[[], Any]) -> Any:
    """The client waits for its answer, so it waits in a thread."""
    return await asyncio.to_thread(work)


async def test_it_asks_streams_lists_and_embeds(house: Served, client: Any) -> None:
    house.upstream.script = Script(tokens=("Good ", "day!"))

    def streamed() -> str:
        chunks = client.chat.completions.create(model="x", messages=[USER], stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    answer = await call(lambda: client.chat.completions.create(model="x", messages=[USER]))
    assert answer.choices[0].message.content == await call(streamed) == "Good day!"
    assert "alices-chat" in [model.id for model in await call(lambda: list(client.models.list()))]
    assert len((await call(lambda: client.embeddings.create(model="x", input="one"))).data) == 1
    assert await Message.objects.acount() == 2


async def test_its_helper_for_streams_puts_the_answer_together(house: Served, client: Any) -> None:
    house.upstream.script = Script(tokens=("Good ", "day!"), usage=(11, 2))

    def streamed() -> Any:
        options = {"include_usage": True}
        with client.chat.completions.stream(model="x", messages=[USER], stream_options=options) as stream:
            return stream.get_final_completion()

    whole = await call(streamed)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Good day!", "stop")
    assert whole.usage.total_tokens == 13


async def test_its_helper_for_schemas_parses_the_answer(house: Served, client: Any) -> None:
    class Animal(BaseModel):
        name: str

    house.upstream.script = Script(tokens=('{"name": ', '"whale"}'))
    answer = await call(lambda: client.chat.completions.parse(model="x", messages=[USER], response_format=Animal))
    assert answer.choices[0].message.parsed == Animal(name="whale")
    assert house.upstream.last.body["response_format"]["json_schema"]["name"] == "Animal"
