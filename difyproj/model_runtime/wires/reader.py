"""Reads a stream of JSON events, by SSE or one per line, and joins all that one piece of it holds into one Delta."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from difyproj.kernel.errors import DomainError

from .. import errors
from ..messages import Delta, TokenUsage, ToolCallDelta
from .exchange import Items
from .lines import LineSplitter, Unreadable

E = TypeVar("E")
_FIELDS = (b":", b"event:", b"id:", b"retry:")


class EventReader(ABC, Generic[E]):
    """A wire's reader says how an event is decoded and what it adds to the Delta of its piece.

    ``take`` appends to ``text``, ``reasoning`` and ``calls``, sets ``finish_reason`` and ``usage``, sets ``ended`` after
    the last event, and raises the error that an event reports.
    """

    by_sse: ClassVar[bool] = True

    def __init__(self, decode: Callable[[bytes], E], label: str, secrets: Sequence[str] = ()) -> None:
        self.decode = decode
        self.label = label
        self.secrets = secrets
        self.ended = False
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.calls: list[ToolCallDelta] = []
        self.finish_reason = ""
        self.usage: TokenUsage | None = None
        self._lines = LineSplitter(label)
        self._unreadable = Unreadable(label)
        self._pending = b""
        self._finished = False
        self._failure: DomainError | None = None

    @abstractmethod
    def take(self, event: E) -> None: ...

    def feed(self, piece: bytes) -> Items:
        """What the piece adds. An error behind something that was said waits for ``check``, so that this is not lost."""
        try:
            self._read(piece)
        except DomainError as error:
            said = self._joined()
            if not said:
                raise
            self._failure = error
            return said
        return self._joined()

    def check(self) -> None:
        """Raises the error that the last piece ended with."""
        if self._failure is not None:
            raise self._failure

    def _read(self, piece: bytes) -> None:
        for line in self._lines.feed(piece):
            if line.startswith(b"data:"):
                self._payload(line[5:])
            elif line in (b"", b"\r"):
                if self._pending:
                    self._drop_pending()
            elif line.startswith(b"{"):
                self._payload(line)
            elif not (self.by_sse and line.startswith(_FIELDS)):
                self._unreadable.skip()

    def finish(self) -> Items:
        """What was left over, and the usage. Raises ModelCallFailed for a stream that ended before its answer did."""
        rest = self._lines.rest()
        last = [*self.feed(rest + b"\n\n")] if rest else []
        if self._failure is not None:
            return last
        if not (self.ended or self._finished):
            raise errors.broken(self.label, "the stream ended before the answer did")
        if self.usage is not None:
            last.append(self.usage)
        return last

    def whole(self, body: bytes) -> Items:
        """One document instead of a stream: an error, or an answer that ``take`` understands."""
        try:
            event = self.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise errors.broken(self.label, "it is not the JSON of this call") from None
        self.take(event)
        return [*self._joined(), *self.finish()]

    def failure(self, reported: Any) -> Exception:
        """The error for a failure that an event reports."""
        return errors.from_payload(self.label, reported, self.secrets)

    def _payload(self, payload: bytes) -> None:
        try:
            event = self.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if payload.strip() == b"[DONE]":
                self.ended = True
            else:
                self._malformed(payload)
            return
        if self._pending:
            self._drop_pending()
        self.take(event)

    def _malformed(self, payload: bytes) -> None:
        """An event may be spread over several data lines; what cannot be read even when joined is skipped."""
        joined = self._pending + b"\n" + payload if self._pending else payload
        try:
            event = self.decode(joined)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if self._pending or not self.by_sse:
                self._unreadable.skip()
            self._pending = joined if self.by_sse else b""
            return
        self._pending = b""
        self.take(event)

    def _drop_pending(self) -> None:
        self._pending = b""
        self._unreadable.skip()

    def _joined(self) -> Items:
        if not (self.text or self.reasoning or self.calls or self.finish_reason):
            return ()
        delta = Delta("".join(self.text), "".join(self.reasoning), tuple(self.calls), self.finish_reason)
        self.text.clear()
        self.reasoning.clear()
        self.calls.clear()
        self._finished = self._finished or bool(self.finish_reason)
        self.finish_reason = ""
        return (delta,)
