"""A bare ASGI app that streams the same bytes from memory: what the server alone costs, no upstream, no framework."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from bench.wire import Spec, data_frame, encode, envelope, message_frame, usage, word

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_ID = "00000000-0000-4000-8000-000000000000"
_BASE = envelope(_ID, _ID, _ID, 1700000000)
_SSE = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
_JSON = [(b"content-type", b"application/json")]
_PARAMETERS = encode({"opening_statement": "", "suggested_questions": [], "user_input_form": []})


@lru_cache(maxsize=16)
def frames(spec: Spec) -> list[bytes]:
    """The answer's frames, ready to be sent."""
    end = _BASE | {"event": "message_end", "metadata": {"usage": usage(20, spec.tokens), "retriever_resources": []}}
    return [message_frame(_BASE, index + 1, word(index)) for index in range(spec.tokens)] + [data_frame(end)]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application: any POST streams what its body's spec says, any GET answers a small JSON body."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http" and scope["method"] == "POST":
        await _stream(Spec.find((await receive())["body"]) or Spec(), send)
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _JSON})
        await send({"type": "http.response.body", "body": _PARAMETERS})


async def _stream(spec: Spec, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _SSE})
    if spec.first_ms:
        await asyncio.sleep(spec.first_ms / 1000)
    for index, frame in enumerate(frames(spec)):
        if index and spec.token_ms:
            await asyncio.sleep(spec.token_ms / 1000)
        await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
