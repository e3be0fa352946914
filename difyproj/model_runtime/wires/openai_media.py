"""The OpenAI wire beside chat: embeddings, speech both ways, moderation, and the list of models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from difyproj.kernel.http import FormPart

from .. import errors
from ..base import Embeddings
from ..messages import TokenUsage
from .exchange import Endpoint, post_bytes, post_json


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int = 0


class _Counted(msgspec.Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _Counted | None = None


class _Transcript(msgspec.Struct):
    text: str


class _Verdict(msgspec.Struct):
    flagged: bool


class _Verdicts(msgspec.Struct):
    results: list[_Verdict]


async def embed(endpoint: Endpoint, model: str, texts: Sequence[str], batch: int, **extra: Any) -> Embeddings:
    """Vectors in the order of ``texts``, at most ``batch`` texts per call."""
    vectors: list[list[float]] = []
    tokens = 0
    for start in range(0, len(texts), batch):
        part = list(texts[start : start + batch])
        body = {"model": model, "input": part, "encoding_format": "float", **extra}
        answer = await post_json(endpoint, endpoint.url("embeddings", model), body, _Vectors)
        if len(answer.data) != len(part):
            raise errors.broken(endpoint.label, f"{len(answer.data)} vectors for {len(part)} texts")
        vectors.extend(row.embedding for row in sorted(answer.data, key=lambda row: row.index))
        if answer.usage is not None:
            tokens += answer.usage.prompt_tokens or answer.usage.total_tokens or 0
    return Embeddings(vectors, TokenUsage(prompt_tokens=tokens))


async def transcribe(endpoint: Endpoint, model: str, audio: bytes, filename: str, mime_type: str) -> str:
    form = [FormPart("model", model), FormPart("file", audio, filename=filename, content_type=mime_type)]
    url = endpoint.url("audio/transcriptions", model)
    return (await post_json(endpoint, url, None, _Transcript, data=form)).text


def speak(endpoint: Endpoint, model: str, text: str, voice: str) -> AsyncIterator[bytes]:
    body = {"model": model, "input": text, "voice": voice, "response_format": "mp3"}
    return post_bytes(endpoint, endpoint.url("audio/speech", model), body)


async def moderate(endpoint: Endpoint, model: str, text: str) -> bool:
    answer = await post_json(endpoint, endpoint.url("moderations", model), {"model": model, "input": text}, _Verdicts)
    return any(verdict.flagged for verdict in answer.results)


async def check(endpoint: Endpoint, path: str) -> None:
    """A GET that only a valid credential gets an answer to."""
    await post_json(endpoint, endpoint.url(path), None, msgspec.Raw, method="GET")
