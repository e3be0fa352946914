"""What a fake upstream does, what it received, and what a wire makes of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from difyproj.model_runtime.messages import ToolCall


@dataclass(frozen=True, slots=True)
class Script:
    """One behaviour for every request. Times are seconds.

    ``usage`` is prompt and completion tokens, None for a server that reports none. ``fail`` is an HTTP status for the first
    ``fail_times`` requests (all, when None); ``keys`` gives statuses by credential. ``malformed`` unreadable events are mixed
    into the stream; ``disconnect_after`` counts pieces before the socket breaks; ``cut_end`` ends the stream in good order
    without its last events. ``dribble`` sends the answer byte by byte; ``hang`` is ``before`` the response, ``first`` after
    its headers, or ``end`` after the last piece. ``refuse_field`` answers 400 to bodies that have that field. ``whole``
    answers a request for a stream with one document.
    """

    tokens: Sequence[str] = ("Hello", ",", " world", "!")
    reasoning: Sequence[str] = ()
    tool_calls: Sequence[ToolCall] = ()
    usage: tuple[int, int] | None = (7, 3)
    finish: str = ""
    first_delay: float = 0.0
    delay: float = 0.0
    fail: int = 0
    fail_times: int | None = None
    fail_message: str = "The fake upstream was told to fail."
    retry_after: float | None = None
    keys: Mapping[str, int] = field(default_factory=dict)
    malformed: int = 0
    disconnect_after: int | None = None
    cut_end: bool = False
    stream_error: str = ""
    dribble: bool = False
    hang: str = ""
    refuse_field: str = ""
    whole: bool = False
    flagged: bool = False
    transcript: str = "A fake transcript."
    audio: bytes = b"\xff\xfb\x10\xc4" + bytes(100)
    dimensions: int = 4

    @property
    def text(self) -> str:
        return "".join(self.tokens)


@dataclass(frozen=True, slots=True)
class Received:
    """One request; ``body`` is the parsed JSON, or the raw bytes of anything else."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    raw: bytes


@dataclass(frozen=True, slots=True)
class Understood:
    """A chat request in neutral words, as the real server would take it. Images and documents are base64 or URLs."""

    model: str = ""
    system: str = ""
    turns: Sequence[tuple[str, str]] = ()
    images: Sequence[str] = ()
    audio: Sequence[str] = ()
    documents: Sequence[str] = ()
    tools: Mapping[str, Any] = field(default_factory=dict)
    tool_calls: Sequence[ToolCall] = ()
    tool_results: Sequence[tuple[str, str]] = ()
    schema: Mapping[str, Any] | None = None
    stop: Sequence[str] = ()
    temperature: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Frames:
    """A streamed answer: what precedes the pieces, one frame per piece, what follows them, and an unreadable one."""

    begin: Sequence[bytes]
    pieces: Sequence[bytes]
    end: Sequence[bytes]
    garbage: bytes
    content_type: str = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Document:
    """An answer in one piece."""

    body: bytes
    content_type: str = "application/json"


class BadRequest(Exception):
    """The request is not what the provider's API takes; answered with status 400."""

    status = 400


class Wire(Protocol):
    """One provider's API. Raises BadRequest where the real one would refuse."""

    def is_stream(self, request: Received) -> bool: ...

    def understand(self, request: Received) -> Understood: ...

    def frames(self, script: Script, asked: Understood, request: Received) -> Frames: ...

    def document(self, script: Script, request: Received) -> Document: ...

    def error(self, status: int, message: str) -> Any: ...


def cut(tokens: Sequence[str], stop: Sequence[str]) -> tuple[list[str], bool]:
    """The tokens before the first stop word, and whether there was one."""
    text = "".join(tokens)
    at = min((found for found in map(text.find, stop) if found >= 0), default=-1)
    if at < 0:
        return list(tokens), False
    kept: list[str] = []
    for token in tokens:
        kept.append(token[:at])
        at -= len(token)
        if at <= 0:
            break
    return [token for token in kept if token], True


def vector(text: str, size: int) -> list[float]:
    """Numbers that depend on the text alone."""
    total = sum(text.encode())
    return [((total + index * 7) % 100) / 100 for index in range(size)]


def overlap(query: str, text: str) -> float:
    """A relevance between 0 and 1."""
    wanted = set(query.lower().split())
    return len(wanted & set(text.lower().split())) / max(len(wanted), 1)
