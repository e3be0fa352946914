"""A graph's run rebuilt from its rows: every boundary with its own id, and the kept text where all of it stood."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from django.db.models import Q

from apps.models import Message, Run, RunStatus
from workflows.engine import events
from workflows.engine.events import BOUNDARIES, RunEvent, RunFailed, RunFinished, RunPaused, TextChunk, TextReplaced, TextWhole
from workflows.models import HumanInputForm, NodeExecution, RunEventRow, WorkflowRun

from . import asking, graph_rows, replay
from .ledger import Numbered

RESUMED = "resumed"


def between(run_id: UUID, after: int, before: int) -> list[Numbered]:
    """The boundaries with ids above ``after`` and below ``before``, in order: what a log does not hold any more."""
    return [entry for entry in _kept(run_id, after, before) if isinstance(entry[1], BOUNDARIES)]


def whole(run: Run, *, after: int) -> list[Numbered]:
    """Everything above ``after`` of a run that is over or paused: boundaries, then the text, then the end.

    As for messages, the text comes as a chunk to a reader who starts from nothing, as a replacement to any other.
    """
    end_id = run.last_event_id
    kept = _kept(run.pk, min(after, end_id - 2), end_id + 1)
    message: Message | None = getattr(run, "message", None)
    text = message.answer if message is not None else _text(kept, end_id)
    boundaries = [entry for entry in kept if isinstance(entry[1], BOUNDARIES)]
    rebuilt = [entry for entry in boundaries if entry[0] < end_id]
    if text or after:
        text_id = end_id - (1 if message is None else 2)
        rebuilt.append((text_id, TextReplaced(text, reason=RESUMED) if after else TextChunk(text)))
    if run.status == RunStatus.PAUSED:
        rebuilt += [entry for entry in boundaries if entry[0] == end_id]
    else:
        rebuilt.append((end_id, ending(run, message, text)))
    return [entry for entry in rebuilt if entry[0] > after]


def ending(run: Run, message: Message | None, text: str) -> RunFinished | RunFailed:
    """The terminal event that the rows tell of."""
    flow = WorkflowRun.objects.get(pk=run.pk)
    more = {"total_steps": flow.total_steps, "exceptions_count": flow.exceptions_count, "outputs": flow.outputs or {}}
    if message is not None:
        return msgspec.structs.replace(replay.ending(run, message), **more)
    usage = events.Usage(total_tokens=run.total_tokens)
    stand_in = Message(answer=text, metadata={replay.USAGE: msgspec.structs.asdict(usage)})
    return msgspec.structs.replace(replay.ending(run, stand_in), **more)


def _text(kept: Sequence[Numbered], end_id: int) -> str:
    """What a run without a message said."""
    return next((event.text for number, event in kept if number == end_id - 1 and isinstance(event, TextWhole)), "")


def _kept(run_id: UUID, after: int, before: int) -> list[Numbered]:
    found: list[Numbered] = []
    began, ended = Q(started_event_id__gt=after, started_event_id__lt=before), Q(finished_event_id__gt=after)
    for row in NodeExecution.objects.filter(began | (ended & Q(finished_event_id__lt=before)), run_id=run_id).order_by():
        if after < row.started_event_id < before:
            found.append((row.started_event_id, graph_rows.started_event(row)))
        if row.finished_event_id is not None and after < row.finished_event_id < before:
            found.append((row.finished_event_id, graph_rows.finished_event(row)))
    rows = RunEventRow.objects.filter(run_id=run_id, event_id__gt=after, event_id__lt=before).order_by()
    told: list[Numbered] = [(row.event_id, events.decode(bytes(row.event))) for row in rows]
    return sorted([*found, *_with_tokens(run_id, told)], key=lambda entry: entry[0])


def _with_tokens(run_id: UUID, told: Sequence[Numbered]) -> list[Numbered]:
    if not any(isinstance(event, events.HumanInputRequired | RunPaused) for _, event in told):
        return list(told)
    forms = list(HumanInputForm.objects.filter(run_id=run_id).select_related("tenant"))
    shown: list[RunEvent] = asking.with_tokens([event for _, event in told], forms)
    return [(number, event) for (number, _), event in zip(told, shown, strict=True)]
