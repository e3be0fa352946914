"""The one vocabulary of what happens in a run. Readers translate it; nobody mirrors it.

Events are msgspec structs tagged by class name, so that an event log can keep them as bytes and read them back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec


class RunEvent(msgspec.Struct, frozen=True, tag=True, tag_field="kind", omit_defaults=True):
    """Base of all events. Times are epoch seconds, durations seconds."""


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the model calls of a run cost. Prices are decimal strings; latency and times are seconds."""

    prompt_tokens: int = 0
    prompt_unit_price: str = "0"
    prompt_price_unit: str = "0.001"
    prompt_price: str = "0"
    completion_tokens: int = 0
    completion_unit_price: str = "0"
    completion_price_unit: str = "0.001"
    completion_price: str = "0"
    total_tokens: int = 0
    total_price: str = "0"
    currency: str = "USD"
    latency: float = 0.0
    time_to_first_token: float | None = None
    time_to_generate: float | None = None


class RunStarted(RunEvent, frozen=True):
    inputs: dict[str, Any] = {}
    created_at: int = 0
    reason: str = "initial"


class NodeStarted(RunEvent, frozen=True):
    execution_id: str
    node_id: str
    node_type: str
    title: str
    index: int
    created_at: float
    predecessor_node_id: str | None = None


class TextChunk(RunEvent, frozen=True):
    """Visible answer text, in the order in which the answer states it."""

    text: str
    selector: Sequence[str] = ()


class ReasoningChunk(RunEvent, frozen=True):
    reasoning: str
    node_id: str = ""
    is_final: bool = False


class TextReplaced(RunEvent, frozen=True):
    """All answer text so far is withdrawn and ``text`` stands instead."""

    text: str
    reason: str = ""


class FileProduced(RunEvent, frozen=True):
    id: str
    type: str
    url: str
    belongs_to: str = "assistant"


class SpeechChunk(RunEvent, frozen=True):
    """Base64 mp3; empty text ends the speech."""

    audio: str


class NodeFinished(RunEvent, frozen=True):
    execution_id: str
    node_id: str
    node_type: str
    title: str
    index: int
    status: str
    created_at: float
    finished_at: float
    elapsed_time: float
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    process_data: dict[str, Any] | None = None
    error: str | None = None
    usage: Usage | None = None


class StageChanged(RunEvent, frozen=True):
    """The mission's stage events (items 76 and 77), on request only; ``stage`` is the wire name."""

    stage: str
    created_at: float


class RunFinished(RunEvent, frozen=True):
    """Terminal. ``status``: succeeded, failed, stopped, partial-succeeded. ``finish_reason`` is the last model's own word for
    why it ended (stop, length, ...), or content_filter when the answer was withheld."""

    status: str
    outputs: dict[str, Any] = {}
    answer: str = ""
    usage: Usage = Usage()
    metadata: dict[str, Any] = {}
    elapsed_time: float = 0.0
    total_steps: int = 0
    finished_at: float = 0.0
    finish_reason: str = ""


class RunFailed(RunEvent, frozen=True):
    """Terminal for the message modes: the error's code, status and public message."""

    code: str
    status: int
    message: str
    answer: str = ""
    usage: Usage = Usage()
    elapsed_time: float = 0.0
    finished_at: float = 0.0


AnyEvent = (
    RunStarted
    | NodeStarted
    | TextChunk
    | ReasoningChunk
    | TextReplaced
    | FileProduced
    | SpeechChunk
    | NodeFinished
    | StageChanged
    | RunFinished
    | RunFailed
)
TERMINAL = (RunFinished, RunFailed)

Events = AsyncGenerator[RunEvent, None]

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyEvent).decode
