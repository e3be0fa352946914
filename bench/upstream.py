"""A fake OpenAI-compatible upstream that costs very little CPU: pre-encoded chunks on a raw asyncio protocol.

`.venv/bin/python -m bench.upstream --port 9900 --tokens 100 --first-ms 20 --token-ms 10`

The answer is chosen per request, the first that speaks wins: header `X-Bench: bench-100-20-10`, the same text in the last
message, in the model name, the flags of this command. See `Spec` for cuts and refusals. GET /stats, POST /reset.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from functools import lru_cache
from typing import cast

import msgspec
from uvicorn.loops.auto import auto_loop_factory

from bench.wire import Spec, encode, first_word, http_chunk, http_reply, word

_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
_WRITES_AT_FULL_SPEED = 4
_VECTOR = [0.01] * 256
_ABORTS_KEPT = 2000


class Abort(msgspec.Struct):
    """A stream that its client left early; `at` is CLOCK_MONOTONIC seconds."""

    at: float
    tokens: int


class Stats(msgspec.Struct):
    """What this upstream saw since the last reset."""

    requests: int = 0
    streams: int = 0
    open: int = 0
    peak_open: int = 0
    finished: int = 0
    aborted: int = 0
    cut: int = 0
    refused: int = 0
    connections: int = 0
    paths: dict[str, int] = msgspec.field(default_factory=dict)
    aborts: list[Abort] = msgspec.field(default_factory=list)


class StreamOptions(msgspec.Struct):
    """OpenAI's `stream_options`."""

    include_usage: bool = False


class ChatBody(msgspec.Struct):
    """The part of a chat request that decides the answer."""

    model: str = ""
    stream: bool = False
    messages: list[msgspec.Raw] = []
    stream_options: StreamOptions | None = None


class EmbeddingBody(msgspec.Struct):
    """The part of an embeddings request that decides the answer."""

    input: list[str] | str = ""
    model: str = ""


def _delta(text: str, finish: str | None = None, role: str | None = None) -> bytes:
    delta = {"role": role, "content": text} if role else ({} if finish else {"content": text})
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return http_chunk(b"data: " + encode(_chunk([choice])) + b"\n\n")


def _chunk(choices: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "bench",
        "system_fingerprint": "fp_bench",
        "choices": choices,
    }


_ROLE = _delta("", role="assistant")
_STOP = _delta("", finish="stop")
_DONE = http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


@lru_cache(maxsize=65536)
def _token(index: int) -> bytes:
    return _delta(word(index))


@lru_cache(maxsize=256)
def _tail(tokens: int, include_usage: bool) -> bytes:
    if not include_usage:
        return _STOP + _DONE
    counts = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
    return _STOP + http_chunk(b"data: " + encode(_chunk([]) | {"usage": counts}) + b"\n\n") + _DONE


@lru_cache(maxsize=256)
def _pieces(first: int, end: int) -> list[bytes]:
    size = max(1, -(-(end - first) // _WRITES_AT_FULL_SPEED))
    return [b"".join(map(_token, range(at, min(at + size, end)))) for at in range(first, end, size)]


class Stream:
    """One streamed answer: a timer per token and nothing else."""

    __slots__ = ("_include_usage", "_loop", "_next", "_protocol", "_received", "_spec", "_timer")

    def __init__(self, protocol: Connection, spec: Spec, include_usage: bool) -> None:
        self._protocol, self._spec, self._include_usage = protocol, spec, include_usage
        self._loop = asyncio.get_running_loop()
        self._received = time.monotonic()
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Waits for the first token's time, then writes."""
        if self._spec.first_ms:
            self._timer = self._loop.call_later(self._spec.first_ms / 1000, self._first)
        else:
            self._first()

    @property
    def tokens_written(self) -> int:
        """How many tokens went to the socket."""
        return self._next

    def cancel(self) -> None:
        """Stops the timer; the client is gone."""
        if self._timer:
            self._timer.cancel()

    def _first(self) -> None:
        opening = _delta(first_word(self._received, time.monotonic())) if self._spec.tokens else b""
        self._protocol.write(_STREAM_HEAD + _ROLE + opening)
        self._next = min(1, self._spec.tokens)
        if self._spec.token_ms:
            self._schedule()
        else:
            self._burst()

    def _burst(self) -> None:
        end = self._spec.cut_after or self._spec.tokens
        for piece in _pieces(1, end):
            self._protocol.write(piece)
        self._next = max(self._next, end)
        self._end()

    def _schedule(self) -> None:
        if self._next >= (self._spec.cut_after or self._spec.tokens):
            self._end()
            return
        due = self._received + (self._spec.first_ms + self._spec.token_ms * self._next) / 1000
        self._timer = self._loop.call_later(max(0.0, due - time.monotonic()), self._step)

    def _step(self) -> None:
        self._protocol.write(_token(self._next))
        self._next += 1
        self._schedule()

    def _end(self) -> None:
        if self._spec.cut_after:
            self._protocol.cut()
        else:
            self._protocol.write(_tail(self._spec.tokens, self._include_usage))
            self._protocol.finished()


class Connection(asyncio.Protocol):
    """One keep-alive connection: requests are read one after the other."""

    def __init__(self, defaults: Spec, stats: Stats) -> None:
        self._defaults, self.stats = defaults, stats
        self._buffer = bytearray()
        self._stream: Stream | None = None
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.stats.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        stream, self._stream, self._transport = self._stream, None, None
        if stream is None:
            return
        stream.cancel()
        self.stats.open -= 1
        self.stats.aborted += 1
        self.stats.aborts.append(Abort(time.monotonic(), stream.tokens_written))
        del self.stats.aborts[:-_ABORTS_KEPT]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._consume()

    def write(self, data: bytes) -> None:
        """Sends bytes unless the client is gone."""
        if self._transport:
            self._transport.write(data)

    def finished(self) -> None:
        """The stream is complete; the connection takes the next request."""
        self._stream, self._busy = None, False
        self.stats.open -= 1
        self.stats.finished += 1
        self._consume()

    def cut(self) -> None:
        """Ends the stream in the middle, as a failing upstream does."""
        self._stream = None
        self.stats.open -= 1
        self.stats.cut += 1
        if self._transport:
            self._transport.close()

    def _consume(self) -> None:
        while not self._busy:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            request_line, _, rest = bytes(self._buffer[:end]).partition(b"\r\n")
            rows = (row.partition(b":") for row in rest.split(b"\r\n"))
            headers = {key.strip().lower(): value.strip() for key, _, value in rows}
            length = int(headers.get(b"content-length", b"0"))
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            self._answer(request_line.split(b" ")[1].partition(b"?")[0].decode(), headers, body)

    def _answer(self, path: str, headers: dict[bytes, bytes], body: bytes) -> None:
        if path == "/stats":
            self.write(http_reply(200, encode(self.stats)))
        elif path == "/reset":
            self._reset()
        else:
            self.stats.requests += 1
            self.stats.paths[path] = self.stats.paths.get(path, 0) + 1
            if path.endswith("/chat/completions"):
                self._chat(headers, body)
            elif path.endswith("/embeddings"):
                self._embeddings(body)
            elif path.endswith("/models"):
                row = {"id": str(self._defaults), "object": "model", "created": 1700000000, "owned_by": "bench"}
                self.write(http_reply(200, encode({"object": "list", "data": [row]})))
            else:
                self.write(http_reply(404, encode({"error": {"message": "no such route", "type": "invalid_request_error"}})))

    def _reset(self) -> None:
        fresh = Stats(open=self.stats.open, peak_open=self.stats.open)
        for name in Stats.__struct_fields__:
            setattr(self.stats, name, getattr(fresh, name))
        self.write(http_reply(200, b'{"result":"success"}'))

    def _chat(self, headers: dict[bytes, bytes], body: bytes) -> None:
        try:
            chat = msgspec.json.decode(body, type=ChatBody)
        except msgspec.DecodeError as error:
            self._refuse(400, str(error))
            return
        last = bytes(chat.messages[-1]) if chat.messages else b""
        named = (headers.get(b"x-bench", b""), last, chat.model.encode())
        spec = next((found for text in named if (found := Spec.find(text))), self._defaults)
        if spec.status >= 400:
            self._refuse(spec.status, "asked to fail")
            return
        self._busy = True
        self.stats.open += 1
        self.stats.peak_open = max(self.stats.peak_open, self.stats.open)
        if chat.stream:
            self.stats.streams += 1
            self._stream = Stream(self, spec, bool(chat.stream_options and chat.stream_options.include_usage))
            self._stream.begin()
        else:
            asyncio.get_running_loop().call_later(spec.seconds, self._whole, spec, time.monotonic())

    def _whole(self, spec: Spec, received: float) -> None:
        text = (first_word(received, time.monotonic()) + "".join(map(word, range(1, spec.tokens)))) if spec.tokens else ""
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": "stop"}
        counts = {"prompt_tokens": 20, "completion_tokens": spec.tokens, "total_tokens": 20 + spec.tokens}
        self.write(http_reply(200, encode(_chunk([choice]) | {"object": "chat.completion", "usage": counts})))
        self.finished()

    def _embeddings(self, body: bytes) -> None:
        wanted = msgspec.json.decode(body, type=EmbeddingBody)
        count = 1 if isinstance(wanted.input, str) else len(wanted.input)
        rows = [{"object": "embedding", "index": index, "embedding": _VECTOR} for index in range(count)]
        counts = {"prompt_tokens": count, "total_tokens": count}
        self.write(http_reply(200, encode({"object": "list", "data": rows, "model": wanted.model, "usage": counts})))

    def _refuse(self, status: int, message: str) -> None:
        self.stats.refused += 1
        self.write(http_reply(status, encode({"error": {"message": message, "type": "bench_error", "code": None}})))


async def serve(host: str, port: int, defaults: Spec) -> None:
    """Serves until it is ended."""
    stats = Stats()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(defaults, stats), host, port, backlog=2048)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Reads the flags and serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9900)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--first-ms", type=int, default=0)
    parser.add_argument("--token-ms", type=int, default=0)
    parser.add_argument("--cut-after", type=int, default=0, help="close the socket after so many tokens")
    parser.add_argument("--status", type=int, default=200, help="answer this status instead of a stream")
    args = parser.parse_args()
    defaults = Spec(args.tokens, args.first_ms, args.token_ms, args.cut_after, args.status)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(serve(args.host, args.port, defaults))


if __name__ == "__main__":
    main()
