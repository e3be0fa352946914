"""Whatever comes in on the OpenAI-compatible routes: no crash, nothing in the log, and every refusal has OpenAI's shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.testing.served import Served

from . import odd
from .test_fuzz import Target, fuzz, target

__all__ = ["target"]

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
parts = some.one_of(
    odd.fields({"type": "text", "text": "x"}),
    some.builds(lambda image: {"type": "image_url", "image_url": image}, odd.fields({"url": PIXEL, "detail": "low"})),
    odd.fields({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
    odd.values,
)
contents = some.one_of(some.just("Hello?"), some.lists(parts, max_size=3), odd.values)
roles = some.sampled_from(("user", "user", "assistant", "system", "developer", "tool", "", None))
messages = some.one_of(
    some.lists(some.builds(lambda role, content: {"role": role, "content": content}, roles, contents), max_size=4),
    odd.values,
)
KNOWN: dict[str, Any] = {
    "model": "x", "user": "u1", "temperature": 1, "top_p": 0.5, "presence_penalty": 0, "frequency_penalty": 0, "max_tokens": 9,
    "max_completion_tokens": None, "seed": 7, "stop": ["x"], "n": 1, "response_format": {"type": "text"}, "inputs": {"a": "x"},
    "stream_options": {"include_usage": True}, "tools": None, "logit_bias": {}, "modalities": ["text"],
}  # fmt: skip


@pytest.mark.parametrize("mode", ["chat", "completion"])
async def test_any_chat_completion(target: Target, mode: str) -> None:
    key = target.house.chat if mode == "chat" else target.house.completion
    body = some.builds(
        lambda base, said, stream: {**base, "messages": said, "stream": stream}, odd.fields(KNOWN), messages, some.booleans()
    )

    @odd.search(150)
    @given(body)
    def search(given_body: Any) -> None:
        target.json("POST", "/chat/completions", given_body, key=key)

    await fuzz(search)


async def test_any_conversation_header(target: Target) -> None:
    body = odd.written({"messages": [{"role": "user", "content": "x"}], "user": "u1"})
    values = some.one_of(some.sampled_from((target.conversation_id, target.message_id, "", "x" * 5000)), odd.texts)

    @odd.search(60)
    @given(values.map(lambda text: text.encode("utf-8", "surrogatepass")[:9000]))
    def search(value: bytes) -> None:
        clean = bytes(byte for byte in value if byte not in b"\r\n\0")
        target.call("POST", "/chat/completions", body, headers={"X-Conversation-Id": clean})

    await fuzz(search)


async def test_any_embedding(target: Target, house: Served) -> None:
    tokens = some.lists(some.one_of(odd.numbers, some.integers(0, 120_000)), max_size=4)
    inputs = some.one_of(odd.values, tokens, some.lists(some.one_of(tokens, odd.texts), max_size=4))
    body = some.builds(
        lambda base, given_input: {**base, "input": given_input},
        odd.fields({"model": "x", "encoding_format": "base64", "dimensions": 2, "user": "u1"}),
        inputs,
    )

    @odd.search(150)
    @given(body)
    def search(given_body: Any) -> None:
        target.json("POST", "/embeddings", given_body)

    await fuzz(search)
