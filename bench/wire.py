"""The bench's small languages: what an answer shall look like, its numbered words, and the frames both sides speak."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

import msgspec

_SPEC = re.compile(rb"bench-(\d+)-(\d+)-(\d+)(?:-cut(\d+))?(?:-status(\d+))?")
_WORD = re.compile(r"t(\d+)(?:@(\d+)@(\d+))?$")
encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Spec:
    """One answer: `bench-TOKENS-FIRSTMS-TOKENMS[-cutN][-statusN]`, times in milliseconds.

    `cut_after` closes the socket after so many tokens; a `status` of 400 or more is answered instead of a stream.
    """

    tokens: int = 100
    first_ms: int = 0
    token_ms: int = 0
    cut_after: int = 0
    status: int = 200

    @classmethod
    def find(cls, text: bytes) -> Self | None:
        """The last spec named in `text`, or None."""
        matches = _SPEC.findall(text)
        if not matches:
            return None
        tokens, first_ms, token_ms, cut_after, status = matches[-1]
        return cls(int(tokens), int(first_ms), int(token_ms), int(cut_after or 0), int(status or 200))

    def __str__(self) -> str:
        cut = f"-cut{self.cut_after}" if self.cut_after else ""
        status = f"-status{self.status}" if self.status != 200 else ""
        return f"bench-{self.tokens}-{self.first_ms}-{self.token_ms}{cut}{status}"

    @property
    def seconds(self) -> float:
        """How long the upstream means to take for the whole answer."""
        return (self.first_ms + self.token_ms * max(self.tokens - 1, 0)) / 1000


def word(index: int) -> str:
    """The text of one token: numbered, so that a lost or doubled one is seen."""
    return f"t{index} "


def first_word(received: float, sent: float) -> str:
    """Token 0 with the upstream's own clock (CLOCK_MONOTONIC seconds in, microseconds written): request read, token sent."""
    return f"t0@{int(received * 1e6)}@{int(sent * 1e6)} "


@dataclass(frozen=True, slots=True)
class Checked:
    """What an answer's words say: how many, what is wrong with them, and the upstream's first-token times (seconds)."""

    tokens: int
    fault: str = ""
    upstream_received: float = 0.0
    upstream_sent: float = 0.0


def check(answer: str, expected: int) -> Checked:
    """Reads the words of an answer; `fault` is empty when 0..expected-1 stand there once each, in order."""
    words = answer.split()
    received = sent = 0.0
    for position, text in enumerate(words):
        match = _WORD.match(text)
        if match is None:
            return Checked(position, f"strange word {text[:40]!r} at {position}")
        if int(match[1]) != position:
            return Checked(position, f"word {text!r} at {position}")
        if match[2]:
            received, sent = int(match[2]) / 1e6, int(match[3]) / 1e6
    fault = "" if len(words) == expected else f"{len(words)} words instead of {expected}"
    return Checked(len(words), fault, received, sent)


def http_chunk(data: bytes) -> bytes:
    """`data` as one chunk of a chunked HTTP/1.1 body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def http_reply(status: int, body: bytes, content_type: str = "application/json") -> bytes:
    """A whole HTTP/1.1 answer with a known length."""
    head = f"HTTP/1.1 {status} Bench\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def data_frame(record: dict[str, Any]) -> bytes:
    """One SSE frame as Dify writes it."""
    return b"data: " + encode(record) + b"\n\n"


def message_frame(envelope: dict[str, Any], number: int, answer: str) -> bytes:
    """One `message` frame with its `id:` line, as the Service API sends it."""
    return b"data: " + encode(envelope | {"event": "message", "answer": answer}) + b"\nid: %d\n\n" % number


def envelope(task_id: str, message_id: str, conversation_id: str, created_at: int) -> dict[str, Any]:
    """The keys that every record of a chat answer carries."""
    return {
        "event": "message",
        "task_id": task_id,
        "message_id": message_id,
        "conversation_id": conversation_id,
        "created_at": created_at,
        "id": message_id,
    }


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """A usage object of the size that Dify sends in `message_end`."""
    return {
        "prompt_tokens": prompt_tokens,
        "prompt_unit_price": "0.001",
        "prompt_price_unit": "0.001",
        "prompt_price": "0.0000000",
        "completion_tokens": completion_tokens,
        "completion_unit_price": "0.002",
        "completion_price_unit": "0.001",
        "completion_price": "0.0000000",
        "total_tokens": prompt_tokens + completion_tokens,
        "total_price": "0.0000000",
        "currency": "USD",
        "latency": 1.0,
    }
