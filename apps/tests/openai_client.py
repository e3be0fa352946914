"""The stock ``openai`` client, unchanged, against a served house."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI

from difyproj.testing.served import Answer, Key, Served

USER: Any = {"role": "user", "content": "Hello?"}


@asynccontextmanager
async def client_of(house: Served, key: Key | None = None, token: str = "") -> AsyncIterator[AsyncOpenAI]:
    """A client with the key's token that tries once."""
    base = f"{house.url}/v1"
    async with AsyncOpenAI(api_key=token or (key or house.chat).token, base_url=base, max_retries=0, timeout=20) as client:
        yield client


async def complete(
    house: Served, *messages: Mapping[str, Any], key: Key | None = None, headers: Mapping[str, str] | None = None, **fields: Any
) -> Answer:
    """A raw call with these messages (default: one question)."""
    body = {"model": "any", "messages": list(messages or [USER]), **fields}
    return await house.call("POST", "/v1/chat/completions", key=key, json=body, headers=headers)


def assert_openai_error(answer: Answer, status: int, code: str, *, param: str | None = None, kind: str = "") -> None:
    """The answer is OpenAI's error shape with this status and code."""
    body = answer.json()
    assert answer.status == status, answer.body
    assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}, body
    assert body["error"]["code"] == code, body
    assert isinstance(body["error"]["message"], str) and body["error"]["type"]
    assert answer.headers["Content-Type"] == "application/json"
    if param is not None:
        assert body["error"]["param"] == param, body
    if kind:
        assert body["error"]["type"] == kind, body
