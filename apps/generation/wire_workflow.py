"""From run events to the records of workflow apps, and to their blocking body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from workflows.engine import events
from workflows.engine.events import RunEvent

from .request import Reply
from .wire import Record
from .wire_graph import GraphRecords, form_record

# The keys of the blocking body's ``data``.
BODY = (
    "id", "workflow_id", "status", "outputs", "error", "elapsed_time", "total_tokens", "total_steps", "created_at",
    "finished_at",
)  # fmt: skip


class WorkflowWire:
    """Records with ``workflow_run_id`` around ``data``. A run that failed is an answer like any other."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._graph = GraphRecords(reply)
        self._base: Record = {"task_id": str(reply.run_id), "workflow_run_id": str(reply.run_id)}
        self._translators: dict[type[RunEvent], Callable[[Any], Record]] = {
            events.TextChunk: self._text,
            events.TextReplaced: lambda event: self._of("text_replace", {"text": event.text}),
            events.ReasoningChunk: self._reasoning,
            events.SpeechChunk: self._speech,
            events.StageChanged: lambda event: {"event": event.stage, **self._base},
            events.RunFinished: lambda event: self._of("workflow_finished", self._graph.finished(event)),
            events.RunFailed: lambda event: self._of("workflow_finished", self._graph.finished(event)),
        }

    def records(self, event: RunEvent) -> Sequence[Record]:
        translate = self._translators.get(type(event))
        if translate is not None:
            return (translate(event),)
        found = self._graph.of(event)
        return () if found is None else (self._of(*found),)

    def blocking(self, run_events: Iterable[RunEvent]) -> Record:
        """The newest end or pause; a run that gives neither is an error that the caller made up already."""
        last = next(one for one in reversed(list(run_events)) if isinstance(one, (*events.TERMINAL, events.RunPaused)))
        if isinstance(last, events.RunPaused):
            return {**self._base, "data": self._paused(last)}
        data = self._graph.finished(last)
        return {**self._base, "data": {name: data[name] for name in BODY}}

    def _of(self, name: str, data: Record) -> Record:
        return {"event": name, **self._base, "data": data}

    def _text(self, event: events.TextChunk) -> Record:
        return self._of("text_chunk", {"text": event.text, "from_variable_selector": list(event.selector)})

    def _reasoning(self, event: events.ReasoningChunk) -> Record:
        told = {"reasoning": event.reasoning, "node_id": event.node_id or None, "is_final": event.is_final}
        return self._of("reasoning_chunk", told)

    def _speech(self, event: events.SpeechChunk) -> Record:
        name = "tts_message" if event.audio else "tts_message_end"
        return {"event": name, **self._base, "created_at": self._reply.created_at, "audio": event.audio}

    def _paused(self, event: events.RunPaused) -> Record:
        return {
            "id": str(self._reply.run_id),
            "workflow_id": str(self._reply.workflow_id),
            "status": "paused",
            "outputs": event.outputs,
            "error": None,
            "elapsed_time": event.elapsed_time,
            "total_tokens": event.usage.total_tokens,
            "total_steps": event.total_steps,
            "created_at": self._reply.created_at,
            "finished_at": None,
            "paused_nodes": list(event.paused_nodes),
            "reasons": [{"TYPE": "human_input_required", **form_record(reason)} for reason in event.reasons],
        }
