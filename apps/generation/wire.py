"""From run events to the public records of each app family, and to the blocking body. The one translator.

Source of shapes and order: Dify's streaming contract (message events, error events, blocking bodies).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from difyproj.kernel.errors import DomainError
from difyproj.kernel.principal import Tier
from workflows.engine import events
from workflows.engine.events import RunEvent

from .request import Reply

Record = dict[str, Any]


class RunError(DomainError):
    """A run's failure with the code and status that the run recorded."""

    def __init__(self, failure: events.RunFailed) -> None:
        super().__init__(failure.message)
        self.wire_code, self.wire_status = failure.code, failure.status


class Wire(Protocol):
    """One reader's translation of one run: stateful, made anew for each reader."""

    def records(self, event: RunEvent) -> Sequence[Record]:
        """The public records of the event; none for what this family does not show."""

    def blocking(self, run_events: Iterable[RunEvent]) -> Record:
        """The whole reply as one body. Raises RunError when the run failed."""


# What visitors of a page are told of a citation.
CITATION = (
    "position", "dataset_id", "dataset_name", "document_id", "document_name", "data_source_type", "segment_id", "score",
    "content", "page", "title", "start", "end", "boxes",
)  # fmt: skip


class MessageWire:
    """Records of the message families: chat (with ``conversation_id``) and completion (without).

    Visitors of a page are not told what an answer cost, nor who wrote the annotation it is.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self._message_id = str(reply.message_id)
        self._base: Record = {"task_id": str(reply.run_id), "message_id": self._message_id}
        if reply.mode != "completion":
            self._base["conversation_id"] = str(reply.conversation_id)
        self._base["created_at"] = reply.created_at
        self._translators: dict[type[RunEvent], Callable[[Any], Record]] = {
            events.TextChunk: self._text,
            events.TextReplaced: self._replaced,
            events.FileProduced: self._file,
            events.SpeechChunk: self._speech,
            events.StageChanged: self._stage,
            events.RunFinished: self._end,
            events.RunFailed: self._error,
        }

    def records(self, event: RunEvent) -> Sequence[Record]:
        translate = self._translators.get(type(event))
        return (translate(event),) if translate else ()

    def blocking(self, run_events: Iterable[RunEvent]) -> Record:
        return self._body(*whole_answer(run_events))

    def _body(self, answer: str, end: events.RunFinished) -> Record:
        return {
            "event": "message",
            **self._base,
            "id": self._message_id,
            "mode": self.reply.mode,
            "answer": answer,
            "metadata": self._metadata(end),
        }

    def _metadata(self, end: events.RunFinished) -> Record:
        return metadata_of(self.reply, end)

    def _text(self, event: events.TextChunk) -> Record:
        return {"event": "message", **self._base, "id": self._message_id, "answer": event.text, "from_variable_selector": None}

    def _replaced(self, event: events.TextReplaced) -> Record:
        return {"event": "message_replace", **self._base, "answer": event.text, "reason": event.reason}

    def _file(self, event: events.FileProduced) -> Record:
        return {
            "event": "message_file", **self._base,
            "id": event.id, "type": event.type, "belongs_to": event.belongs_to, "url": event.url,
        }  # fmt: skip

    def _speech(self, event: events.SpeechChunk) -> Record:
        return {"event": "tts_message" if event.audio else "tts_message_end", **self._base, "audio": event.audio}

    def _stage(self, event: events.StageChanged) -> Record:
        return {"event": event.stage, **self._base}

    def _end(self, event: events.RunFinished) -> Record:
        return {"event": "message_end", **self._base, "id": self._message_id, "metadata": self._metadata(event), "files": None}

    def _error(self, event: events.RunFailed) -> Record:
        base = {name: value for name, value in self._base.items() if name != "task_id"}
        return {"event": "error", **base, "status": event.status, "code": event.code, "message": event.message}


def whole_answer(run_events: Iterable[RunEvent]) -> tuple[str, events.RunFinished]:
    """The answer's text and how the run ended. Raises RunError when it failed."""
    answer: list[str] = []
    for event in run_events:
        if isinstance(event, events.TextChunk):
            answer.append(event.text)
        elif isinstance(event, events.TextReplaced):
            answer = [event.text]
        elif isinstance(event, events.RunFailed):
            raise RunError(event)
        elif isinstance(event, events.RunFinished):
            return "".join(answer), event
    raise RunError(events.RunFailed(code="internal_server_error", status=500, message="The run ended without a result."))


def metadata(end: events.RunFinished) -> Record:
    """``message_end.metadata``: citations and the like first, usage always."""
    return {"annotation_reply": None, "retriever_resources": [], **end.metadata, "usage": usage_record(end.usage)}


def metadata_of(reply: Reply, end: events.RunFinished) -> Record:
    """What the readers of this reply are told of its end."""
    return for_visitors(metadata(end)) if reply.tier == Tier.WEB else metadata(end)


def for_visitors(told: Mapping[str, Any]) -> Record:
    """Metadata without costs and people, with the short form of each citation."""
    resources = told.get("retriever_resources") or []
    return {"retriever_resources": [{name: item[name] for name in CITATION if name in item} for item in resources]}


def usage_record(usage: events.Usage) -> Record:
    return msgspec.structs.asdict(usage)
