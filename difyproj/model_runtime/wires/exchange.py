"""One call to a provider over the egress client: JSON in, JSON out or a stream of deltas, failures as errors of the family."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from difyproj.kernel.http import Body, Egress, EgressFailed, EgressRefused, EgressResponse, EgressTimeout, Timeout

from .. import errors
from ..base import ModelRequest
from ..messages import Delta, TokenUsage
from ..streams import Pace

T = TypeVar("T")
Item = Delta | TokenUsage
Items = Sequence[Item]
CALL_SECONDS = 120.0
ERROR_BODY = 64 * 1024
ANSWER_BODY = 64 * 1024 * 1024
# Events of the chattiest wires have some 300 bytes for a token: room for the longest answers there are.
STREAM_BODY = 48 * 1024 * 1024
# What stays in memory, in the event log and in a row: characters of text, reasoning and tool calls.
ANSWER_TEXT = 8 * 1024 * 1024
DRAIN_SECONDS = 0.05
WATCH_MARGIN = 1.0


class Reader(Protocol):
    """Turns pieces of a response body into at most one Delta per piece."""

    @property
    def ended(self) -> bool:
        """The provider has said that the stream is over; what follows is not read."""

    def feed(self, piece: bytes) -> Items: ...

    def check(self) -> None:
        """Raises the error that the last piece ended with, once what came before it is handed on."""

    def finish(self) -> Items:
        """The usage, if there was one. Raises ModelCallFailed for a stream that ended before its end."""

    def whole(self, body: bytes) -> Items:
        """An answer that came as one JSON document although a stream was asked for."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider's calls go. ``template`` holds ``{path}`` and may hold ``{model}``; ``headers`` hold the credential."""

    http: Egress
    label: str
    template: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)

    def url(self, path: str, model: str = "") -> str:
        return self.template.replace("{path}", path).replace("{model}", model)


async def post_json(
    endpoint: Endpoint, url: str, body: Any, answer: type[T], *, method: str = "POST", data: Body | None = None
) -> T:
    """One JSON exchange, decoded into ``answer``."""
    async with _opened(endpoint, method, url, body, data, Timeout(read=CALL_SECONDS, total=CALL_SECONDS)) as response:
        raw = await response.read(ANSWER_BODY)
    try:
        return msgspec.json.decode(raw, type=answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.broken(endpoint.label, "it is not the JSON of this call") from None


async def post_bytes(endpoint: Endpoint, url: str, body: Any) -> AsyncIterator[bytes]:
    """The response body as it arrives, for audio."""
    size = 0
    async with _opened(endpoint, "POST", url, body, None, Timeout(read=CALL_SECONDS)) as response:
        async for piece in response.chunks():
            size += len(piece)
            if size > ANSWER_BODY:
                raise errors.endless(endpoint.label, f"{ANSWER_BODY} bytes")
            yield piece


async def stream(
    endpoint: Endpoint, url: str, body: Any, reader: Reader, request: ModelRequest
) -> AsyncIterator[Delta | TokenUsage]:
    """Deltas as pieces arrive, then the usage. Closing the iterator closes the socket at once.

    Raises ModelCallFailed for an answer that passes ``STREAM_BODY`` bytes or ``ANSWER_TEXT`` characters.
    """
    clock = asyncio.get_running_loop().time
    first_by = clock() + min(request.first_token_timeout, request.timeout)
    # For the first piece the deadline here speaks, with its own words; the client's watch must not be quicker.
    limits = Timeout(read=request.first_token_timeout + WATCH_MARGIN, total=request.timeout)
    async with AsyncExitStack() as stack:
        opening = _opened(endpoint, "POST", url, body, None, limits)
        response = await _in_time(stack.enter_async_context(opening), first_by, endpoint.label, request)
        size = _Size(endpoint.label)
        if _is_document(response):
            for item in reader.whole(await response.read(ANSWER_BODY)):
                yield size.add(item)
            return
        waiting, pace = True, stack.enter_context(Pace())
        while not reader.ended:
            if rest := pace.rest():
                response.hold(rest)
            piece = await (_in_time(response.next(), first_by, endpoint.label, request) if waiting else response.next())
            if not piece:
                break
            size.read(piece)
            for item in reader.feed(piece):
                waiting = False
                yield size.add(item)
            reader.check()
        for item in reader.finish():
            yield size.add(item)
        reader.check()
        await _drain(response)


class _Size:
    """How much came. Raises ModelCallFailed when it is too much."""

    __slots__ = ("_label", "_read", "_said")

    def __init__(self, label: str) -> None:
        self._label, self._read, self._said = label, 0, 0

    def read(self, piece: bytes) -> None:
        self._read += len(piece)
        if self._read > STREAM_BODY:
            raise errors.endless(self._label, f"{STREAM_BODY} bytes")

    def add(self, item: Item) -> Item:
        if isinstance(item, Delta):
            self._said += len(item.text) + len(item.reasoning) + sum(len(call.arguments) for call in item.tool_calls)
            if self._said > ANSWER_TEXT:
                raise errors.endless(self._label, f"{ANSWER_TEXT} characters")
        return item


async def _in_time(step: Any, deadline: float, label: str, request: ModelRequest) -> Any:
    try:
        async with asyncio.timeout_at(deadline):
            return await step
    except TimeoutError:
        raise errors.timed_out(label, "begin to answer", min(request.first_token_timeout, request.timeout)) from None


async def _drain(response: EgressResponse) -> None:
    """Reads the few bytes after the last event, so that the connection can serve the next call."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while await response.next():
                pass
    except (TimeoutError, EgressFailed):
        return


@asynccontextmanager
async def _opened(
    endpoint: Endpoint, method: str, url: str, body: Any, data: Body | None, limits: Timeout
) -> AsyncIterator[EgressResponse]:
    """The response to a call that the provider accepted; every way to fail comes out as an error of the family."""
    try:
        async with endpoint.http.open(method, url, headers=endpoint.headers, json=body, data=data, timeout=limits) as response:
            if response.status >= 300:
                refusal = await _beginning(response)
                raise errors.from_status(endpoint.label, response.status, refusal, response.headers, endpoint.secrets)
            yield response
    except EgressTimeout:
        raise errors.ModelCallFailed(f"{endpoint.label} did not answer in time.", retryable=True, upstream_status=408) from None
    except EgressRefused as error:
        raise errors.ModelCallFailed(f"{endpoint.label}: {error.message}") from None
    except EgressFailed as error:
        failure = errors.network(endpoint.label, error.message, url)
        failure.retryable = error.retryable
        raise failure from None


async def _beginning(response: EgressResponse) -> bytes:
    held = b""
    try:
        async for piece in response.chunks():
            held += piece
            if len(held) >= ERROR_BODY:
                break
    except EgressFailed:
        return held
    return held[:ERROR_BODY]


def _is_document(response: EgressResponse) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("application/json")
