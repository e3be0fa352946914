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


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where inside a container a node runs. ``kind``: iteration or loop; ``round`` counts from 0.

    ``outer`` is where the container itself runs, for one inside another.
    """

    container_id: str
    kind: str
    round: int = 0
    outer: Place | None = None


class RunStarted(RunEvent, frozen=True):
    """``reason``: initial, or resumption after a pause."""

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
    place: Place | None = None


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


class TextWhole(RunEvent, frozen=True):
    """The place in a run's events where all text so far is whole. Nobody is shown it; who reads the run from its rows is told
    the text here. ``text`` is there only where no other row holds it."""

    text: str = ""


class FileProduced(RunEvent, frozen=True):
    id: str
    type: str
    url: str
    belongs_to: str = "assistant"


class SpeechChunk(RunEvent, frozen=True):
    """Base64 mp3; empty text ends the speech."""

    audio: str


class Assigned(msgspec.Struct, frozen=True):
    """A variable that outlives its node (of a conversation or a loop) was given ``value``."""

    scope: str
    name: str
    value: Any = None


class NodeFinished(RunEvent, frozen=True):
    """``status``: succeeded, failed, exception (a failure that its strategy handled), stopped or paused.

    ``handle`` is the way it left by and ``assigned`` what it assigned: with ``outputs`` that is all a resumed run needs of it.
    """

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
    handle: str = "source"
    assigned: Sequence[Assigned] = ()
    error_strategy: str = ""
    place: Place | None = None
    predecessor_node_id: str | None = None
    metadata: dict[str, Any] = {}


class NodeRetried(RunEvent, frozen=True):
    """A try failed and another one follows. ``retry_index`` counts the failed tries from 1."""

    execution_id: str
    node_id: str
    node_type: str
    title: str
    index: int
    retry_index: int
    error: str
    created_at: float
    finished_at: float
    elapsed_time: float
    place: Place | None = None
    predecessor_node_id: str | None = None


class ContainerStarted(RunEvent, frozen=True):
    """An iteration or loop begins its rounds. ``kind`` names which; ``metadata`` holds its length."""

    container_kind: str
    node_id: str
    node_type: str
    title: str
    created_at: float
    inputs: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    place: Place | None = None


class ContainerNext(RunEvent, frozen=True):
    """Round ``index`` (from 0) of a container begins; ``previous`` is what the round before it gave."""

    container_kind: str
    node_id: str
    node_type: str
    title: str
    index: int
    created_at: float
    previous: Any = None
    place: Place | None = None


class ContainerFinished(RunEvent, frozen=True):
    """The rounds of a container are over; its own NodeFinished follows. ``status``: succeeded or failed."""

    container_kind: str
    node_id: str
    node_type: str
    title: str
    status: str
    created_at: float
    finished_at: float
    elapsed_time: float
    steps: int
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    error: str | None = None
    total_tokens: int = 0
    place: Place | None = None


class HumanInputRequired(RunEvent, frozen=True):
    """A node waits for a person. ``form`` is its definition (``workflows.engine.node.Form``); the door adds token and id."""

    execution_id: str
    node_id: str
    title: str
    form: dict[str, Any]
    form_id: str = ""
    form_token: str | None = None
    expiration_time: int = 0


class HumanInputFilled(RunEvent, frozen=True):
    node_id: str
    title: str
    rendered_content: str
    action_id: str
    action_text: str
    submitted: dict[str, Any] = {}
    execution_id: str = ""


class HumanInputExpired(RunEvent, frozen=True):
    node_id: str
    title: str
    expiration_time: int
    execution_id: str = ""


class RunPaused(RunEvent, frozen=True):
    """The run waits for people and holds nothing. ``reasons`` holds one HumanInputRequired per waiting form.

    A stream closes after it, unless its reader asked to wait for what comes after the pause.
    """

    paused_nodes: Sequence[str]
    reasons: Sequence[HumanInputRequired]
    outputs: dict[str, Any] = {}
    answer: str = ""
    usage: Usage = Usage()
    elapsed_time: float = 0.0
    total_steps: int = 0
    created_at: int = 0


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
    exceptions_count: int = 0


class RunFailed(RunEvent, frozen=True):
    """Terminal: the error's code, status and public message. ``node_id`` is the node that failed, if one did."""

    code: str
    status: int
    message: str
    answer: str = ""
    usage: Usage = Usage()
    elapsed_time: float = 0.0
    finished_at: float = 0.0
    outputs: dict[str, Any] = {}
    total_steps: int = 0
    exceptions_count: int = 0
    node_id: str = ""


AnyEvent = (
    RunStarted
    | NodeStarted
    | TextChunk
    | ReasoningChunk
    | TextReplaced
    | TextWhole
    | FileProduced
    | SpeechChunk
    | NodeFinished
    | NodeRetried
    | ContainerStarted
    | ContainerNext
    | ContainerFinished
    | HumanInputRequired
    | HumanInputFilled
    | HumanInputExpired
    | RunPaused
    | StageChanged
    | RunFinished
    | RunFailed
)
TERMINAL = (RunFinished, RunFailed)
# What a reader is shown only once the rows hold it. Text and reasoning flow between them.
BOUNDARIES = (
    RunStarted,
    NodeStarted,
    NodeFinished,
    NodeRetried,
    ContainerStarted,
    ContainerNext,
    ContainerFinished,
    HumanInputRequired,
    HumanInputFilled,
    HumanInputExpired,
    RunPaused,
)

Events = AsyncGenerator[RunEvent, None]

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyEvent).decode
