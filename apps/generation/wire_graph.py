"""What the records of workflows and chatflows share: nodes, containers, forms and the run itself, without their envelopes.

Source of shapes and order: Dify's streaming contract (workflow events).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from difyproj.kernel.principal import Tier
from workflows.engine import events, previewed
from workflows.engine.events import RunEvent
from workflows.engine.values import files_of

from . import asking
from .request import Reply
from .wire import Record

# What visitors of a page are not told of a node.
HIDDEN = ("inputs", "process_data", "outputs", "execution_metadata", "error")


class GraphRecords:
    """``data`` of each event, with its name on the wire. Visitors of a page are told less."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._run_id, self._workflow_id = str(reply.run_id), str(reply.workflow_id)
        self._is_short = reply.tier == Tier.WEB
        self._translators: dict[type[RunEvent], Callable[[Any], tuple[str, Record]]] = {
            events.RunStarted: self._started,
            events.NodeStarted: self._node_started,
            events.NodeFinished: self._node_finished,
            events.NodeRetried: self._node_retried,
            events.ContainerStarted: self._container_started,
            events.ContainerNext: self._container_next,
            events.ContainerFinished: self._container_finished,
            events.HumanInputRequired: self._form,
            events.HumanInputFilled: self._form_filled,
            events.HumanInputExpired: self._form_expired,
            events.RunPaused: self._paused,
        }

    def of(self, event: RunEvent) -> tuple[str, Record] | None:
        translate = self._translators.get(type(event))
        return None if translate is None else translate(event)

    def finished(self, event: events.RunFinished | events.RunFailed) -> Record:
        """``data`` of ``workflow_finished``, also of a run that failed."""
        failed = isinstance(event, events.RunFailed)
        return {
            "id": self._run_id,
            "workflow_id": self._workflow_id,
            "status": "failed" if isinstance(event, events.RunFailed) else event.status,
            "outputs": dict(event.outputs) if event.outputs or not failed else None,
            "error": event.message if isinstance(event, events.RunFailed) else None,
            "elapsed_time": event.elapsed_time,
            "total_tokens": event.usage.total_tokens,
            "total_steps": event.total_steps,
            "created_by": dict(self._reply.created_by or {}),
            "created_at": self._reply.created_at,
            "finished_at": int(event.finished_at),
            "exceptions_count": event.exceptions_count,
            "files": _files(event.outputs),
        }

    def _started(self, event: events.RunStarted) -> tuple[str, Record]:
        return "workflow_started", {
            "id": self._run_id,
            "workflow_id": self._workflow_id,
            "inputs": event.inputs,
            "created_at": event.created_at or self._reply.created_at,
            "reason": event.reason,
        }

    def _node_started(self, event: events.NodeStarted) -> tuple[str, Record]:
        return "node_started", {
            **_node(event),
            "inputs": None,
            "inputs_truncated": False,
            "created_at": int(event.created_at),
            "extras": {},
            **_place(event.place),
        }

    def _node_finished(self, event: events.NodeFinished) -> tuple[str, Record]:
        return "node_finished", self._shortened(
            {
                **_node(event),
                **_shown(event),
                "status": event.status,
                "error": event.error,
                "elapsed_time": event.elapsed_time,
                "execution_metadata": _metadata(event),
                "created_at": int(event.created_at),
                "finished_at": int(event.finished_at),
                "files": _files(event.outputs),
                **_place(event.place),
            }
        )

    def _node_retried(self, event: events.NodeRetried) -> tuple[str, Record]:
        return "node_retry", self._shortened(
            {
                **_node(event),
                **dict.fromkeys(("inputs", "process_data", "outputs")),
                **dict.fromkeys(("inputs_truncated", "process_data_truncated", "outputs_truncated"), False),
                "status": "retry",
                "error": event.error,
                "elapsed_time": event.elapsed_time,
                "execution_metadata": None,
                "created_at": int(event.created_at),
                "finished_at": int(event.finished_at),
                "files": [],
                **_place(event.place),
                "retry_index": event.retry_index,
            }
        )

    def _shortened(self, data: Record) -> Record:
        return {**data, **dict.fromkeys(HIDDEN), "files": []} if self._is_short else data

    def _container_started(self, event: events.ContainerStarted) -> tuple[str, Record]:
        inputs, is_cut = previewed.preview(event.inputs)
        return f"{event.container_kind}_started", {
            **_container(event),
            "created_at": int(event.created_at),
            "extras": {},
            "metadata": event.metadata,
            "inputs": inputs,
            "inputs_truncated": is_cut,
        }

    def _container_next(self, event: events.ContainerNext) -> tuple[str, Record]:
        previous = previewed.preview(event.previous)[0]
        return f"{event.container_kind}_next", {
            **_container(event),
            "index": event.index,
            "created_at": int(event.created_at),
            "extras": {},
            f"pre_{event.container_kind}_output": previous,
        }

    def _container_finished(self, event: events.ContainerFinished) -> tuple[str, Record]:
        (inputs, inputs_cut), (outputs, outputs_cut) = previewed.preview(event.inputs), previewed.preview(event.outputs)
        return f"{event.container_kind}_completed", {
            **_container(event),
            "inputs": inputs,
            "inputs_truncated": inputs_cut,
            "outputs": outputs,
            "outputs_truncated": outputs_cut,
            "extras": {},
            "status": event.status,
            "error": event.error,
            "elapsed_time": event.elapsed_time,
            "total_tokens": event.total_tokens,
            "execution_metadata": {"total_tokens": event.total_tokens, **event.metadata},
            "created_at": int(event.created_at),
            "finished_at": int(event.finished_at),
            "steps": event.steps,
        }

    def _form(self, event: events.HumanInputRequired) -> tuple[str, Record]:
        return "human_input_required", form_record(event)

    def _form_filled(self, event: events.HumanInputFilled) -> tuple[str, Record]:
        return "human_input_form_filled", {
            "node_id": event.node_id,
            "node_title": event.title,
            "rendered_content": event.rendered_content,
            "action_id": event.action_id,
            "action_text": event.action_text,
            "submitted_data": event.submitted,
        }

    def _form_expired(self, event: events.HumanInputExpired) -> tuple[str, Record]:
        told = {"node_id": event.node_id, "node_title": event.title, "expiration_time": event.expiration_time}
        return "human_input_form_timeout", told

    def _paused(self, event: events.RunPaused) -> tuple[str, Record]:
        return "workflow_paused", {
            "workflow_run_id": self._run_id,
            "paused_nodes": list(event.paused_nodes),
            "outputs": event.outputs,
            "reasons": [{"TYPE": "human_input_required", **form_record(reason)} for reason in event.reasons],
            "status": "paused",
            "created_at": self._reply.created_at,
            "elapsed_time": event.elapsed_time,
            "total_tokens": event.usage.total_tokens,
            "total_steps": event.total_steps,
        }


def form_record(event: events.HumanInputRequired) -> Record:
    """What a person is asked; the token only where the form is shown by it."""
    form, on_web = event.form, asking.is_on_the_web(event)
    return {
        "form_id": event.form_id,
        "node_id": event.node_id,
        "node_title": event.title,
        "form_content": form.get("content", ""),
        "inputs": list(form.get("inputs") or ()),
        "actions": list(form.get("actions") or ()),
        "display_in_ui": on_web,
        "form_token": event.form_token if on_web else None,
        "resolved_default_values": dict(form.get("defaults") or {}),
        "expiration_time": event.expiration_time,
    }


def _node(event: events.NodeStarted | events.NodeFinished | events.NodeRetried) -> Record:
    return {
        "id": event.execution_id,
        "node_id": event.node_id,
        "node_type": event.node_type,
        "title": event.title,
        "index": event.index,
        "predecessor_node_id": event.predecessor_node_id,
    }


def _container(event: events.ContainerStarted | events.ContainerNext | events.ContainerFinished) -> Record:
    return {"id": event.node_id, "node_id": event.node_id, "node_type": event.node_type, "title": event.title}


def _shown(event: events.NodeFinished) -> Record:
    """Inputs, process data and outputs, each with the word whether it was cut."""
    told: Record = {}
    for name in ("inputs", "process_data", "outputs"):
        told[name], told[f"{name}_truncated"] = previewed.preview(getattr(event, name))
    return told


def _metadata(event: events.NodeFinished) -> Record:
    told: Record = dict(event.metadata)
    if event.usage is not None:
        usage = event.usage
        told |= {"total_tokens": usage.total_tokens, "total_price": float(usage.total_price), "currency": usage.currency}
    if event.error_strategy:
        told["error_strategy"] = event.error_strategy
    if event.place is not None:
        told |= {f"{event.place.kind}_id": event.place.container_id, f"{event.place.kind}_index": event.place.round}
    return told


def _place(place: events.Place | None) -> Record:
    told: Record = {"iteration_id": None, "loop_id": None}
    if place is not None:
        told[f"{place.kind}_id"] = place.container_id
    return told


def _files(outputs: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return [file for value in (outputs or {}).values() for file in files_of(value)]
