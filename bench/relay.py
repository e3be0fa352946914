"""The bare relay: an aiohttp client to an ASGI stream, no Django. What moving the tokens costs when nothing is kept."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import msgspec

from bench.wire import data_frame, encode, envelope, message_frame, usage

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_UPSTREAM = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:9900/v1")
_MODEL = os.environ.get("OPENAI_MODEL", "bench-100-0-0")
_SSE = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
_JSON = [(b"content-type", b"application/json")]
_sessions: list[aiohttp.ClientSession] = []
_running: dict[str, aiohttp.ClientResponse] = {}


class ChatRequest(msgspec.Struct):
    """The part of a chat request that the relay needs."""

    query: str
    user: str = ""
    response_mode: str = "blocking"
    conversation_id: str | None = None


class Delta(msgspec.Struct):
    """OpenAI's `choices[].delta`."""

    content: str | None = None


class Choice(msgspec.Struct):
    """OpenAI's `choices[]`."""

    delta: Delta


class Chunk(msgspec.Struct):
    """One streamed chunk of the upstream."""

    choices: list[Choice] = []


_decode_chunk = msgspec.json.Decoder(Chunk).decode
_decode_request = msgspec.json.Decoder(ChatRequest).decode


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application: chat-messages, its stop, parameters, health."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        path = scope["path"]
        if path.endswith("/stop"):
            await _stop(path.split("/")[-2], send)
        elif path == "/v1/chat-messages":
            await _chat(_decode_request(await _body(receive)), send)
        else:
            await _json(send, {"opening_statement": "", "suggested_questions": [], "user_input_form": []})


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    _sessions.append(aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await _sessions.pop().close()
    await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _json(send: Send, value: dict[str, Any], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": _JSON})
    await send({"type": "http.response.body", "body": encode(value)})


async def _stop(task_id: str, send: Send) -> None:
    if (response := _running.get(task_id)) is not None:
        response.close()
    await _json(send, {"result": "success"})


async def _deltas(query: str, task_id: str) -> AsyncIterator[str]:
    body = {"model": _MODEL, "stream": True, "messages": [{"role": "user", "content": query}]}
    async with _sessions[0].post(f"{_UPSTREAM}/chat/completions", data=encode(body)) as response:
        response.raise_for_status()
        _running[task_id] = response
        rest = b""
        try:
            async for data in response.content.iter_any():
                *frames, rest = (rest + data).split(b"\n\n")
                for frame in frames:
                    if frame != b"data: [DONE]" and (choices := _decode_chunk(frame[6:]).choices) and choices[0].delta.content:
                        yield choices[0].delta.content
        except aiohttp.ClientError:
            return
        finally:
            del _running[task_id]


async def _chat(request: ChatRequest, send: Send) -> None:
    task_id, message_id = str(uuid.uuid4()), str(uuid.uuid4())
    base = envelope(task_id, message_id, request.conversation_id or str(uuid.uuid4()), int(time.time()))
    if request.response_mode != "streaming":
        answer = "".join([delta async for delta in _deltas(request.query, task_id)])
        await _json(send, base | {"mode": "chat", "answer": answer, "metadata": {"usage": usage(20, 100)}})
        return
    await send({"type": "http.response.start", "status": 200, "headers": _SSE})
    number = 0
    async for delta in _deltas(request.query, task_id):
        number += 1
        await send({"type": "http.response.body", "body": message_frame(base, number, delta), "more_body": True})
    end = base | {"event": "message_end", "metadata": {"usage": usage(20, number), "retriever_resources": []}, "files": None}
    await send({"type": "http.response.body", "body": data_frame(end), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
