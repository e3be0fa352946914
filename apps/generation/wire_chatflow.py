"""From run events to the records of chatflows: those of messages and those of workflows, in one envelope."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from difyproj.kernel.errors import InvalidParam
from workflows.engine import events
from workflows.engine.events import RunEvent
from workflows.engine.values import files_of

from .request import Reply
from .wire import MessageWire, Record, RunError, metadata_of, whole_answer
from .wire_graph import GraphRecords, form_record


class ChatflowWire(MessageWire):
    """A message's records, and those of the nodes behind it with ``workflow_run_id`` around ``data``."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self._graph = GraphRecords(reply)
        self._flow: Record = {**self._base, "workflow_run_id": str(reply.run_id)}

    def records(self, event: RunEvent) -> Sequence[Record]:
        if isinstance(event, events.RunFinished):
            return (self._end(event), self._of("workflow_finished", self._graph.finished(event)))
        if isinstance(event, events.RunFailed):
            return (self._of("workflow_finished", self._graph.finished(event)), self._error(told_to_chat(event)))
        if isinstance(event, events.ReasoningChunk):
            told = {"message_id": self._message_id, "reasoning": event.reasoning, "node_id": event.node_id or None}
            return (self._of("reasoning_chunk", {**told, "is_final": event.is_final}),)
        found = self._graph.of(event)
        return super().records(event) if found is None else (self._of(*found),)

    def blocking(self, run_events: Iterable[RunEvent]) -> Record:
        """The message; a pause has a body of its own. Raises RunError when the run failed."""
        collected = list(run_events)
        last = collected[-1] if collected else None
        if isinstance(last, events.RunPaused):
            return self._pause_body(last)
        if isinstance(last, events.RunFailed):
            raise RunError(told_to_chat(last))
        return self._body(*whole_answer(collected))

    def _of(self, name: str, data: Record) -> Record:
        return {"event": name, **self._flow, "data": data}

    def _text(self, event: events.TextChunk) -> Record:
        return {**super()._text(event), "from_variable_selector": list(event.selector) or None}

    def _end(self, event: events.RunFinished) -> Record:
        return {**super()._end(event), "files": files_of(event.outputs.get("files")) or None}

    def _pause_body(self, event: events.RunPaused) -> Record:
        end = events.RunFinished(status="paused", usage=event.usage)
        common = {
            "message_id": self._message_id, "conversation_id": self._base["conversation_id"], "mode": self.reply.mode,
            "answer": event.answer, "metadata": metadata_of(self.reply, end), "created_at": self.reply.created_at,
        }  # fmt: skip
        data = {
            "id": self._message_id,
            **common,
            "paused_nodes": list(event.paused_nodes),
            "reasons": [{"TYPE": "human_input_required", **form_record(reason)} for reason in event.reasons],
            "status": "paused",
            "elapsed_time": event.elapsed_time,
            "total_tokens": event.usage.total_tokens,
            "total_steps": event.total_steps,
            "workflow_run_id": str(self.reply.run_id),
        }
        head = {"event": "workflow_paused", "task_id": str(self.reply.run_id), "id": self._message_id}
        return {**head, **common, "workflow_run_id": str(self.reply.run_id), "data": data}


def told_to_chat(event: events.RunFailed) -> events.RunFailed:
    """A node's failure as chat clients know it."""
    if not event.node_id:
        return event
    message = f"Run failed: {event.message}"
    return events.RunFailed(code=InvalidParam.code, status=InvalidParam.status, message=message, answer=event.answer)


class EndedChatflowWire(ChatflowWire):
    """For who comes when the run is over: its end as that of a graph, and nothing of the message."""

    def records(self, event: RunEvent) -> Sequence[Record]:
        return tuple(record for record in super().records(event) if record["event"] == "workflow_finished")
