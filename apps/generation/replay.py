"""A run's reply rebuilt from its rows, once its event log is gone: coarser events with the same text and ids that only grow."""

from __future__ import annotations

from typing import Any

from apps.models import Message, Run, RunStatus
from difyproj.kernel import structs
from difyproj.kernel.errors import WorkerLost
from workflows.engine.events import RunEvent, RunFailed, RunFinished, TextChunk, TextReplaced, Usage

# The keys of a message's metadata that are fields of the terminal event, not part of what readers are shown as metadata.
USAGE, FINISH_REASON = "usage", "finish_reason"
USAGE_FIELDS = frozenset(Usage.__struct_fields__)


def events(run: Run, message: Message, *, after: int) -> list[tuple[int, RunEvent]]:
    """Numbered events above ``after``: the kept text at the last id but one, the end at the last id.

    A reader that starts from nothing gets the text as a chunk; one that saw some of it gets it as a replacement, because
    what it saw may have been more or less than what was kept.
    """
    end_id = run.last_event_id
    text: RunEvent = TextReplaced(message.answer, reason="resumed") if after else TextChunk(message.answer)
    rebuilt = [(end_id - 1, text), (end_id, ending(run, message))]
    return [(number, event) for number, event in rebuilt if number > after]


def ending(run: Run, message: Message) -> RunFinished | RunFailed:
    """The terminal event that the rows tell of."""
    usage = _usage(message.metadata.get(USAGE))
    finished = run.finished_at.timestamp() if run.finished_at else 0.0
    if run.status == RunStatus.FAILED:
        return RunFailed(
            code=run.error_code or WorkerLost.code,
            status=run.error_status or WorkerLost.status,
            message=run.error,
            answer=message.answer,
            usage=usage,
            elapsed_time=run.elapsed_time,
            finished_at=finished,
        )
    return RunFinished(
        status=run.status,
        outputs={"answer": message.answer},
        answer=message.answer,
        usage=usage,
        metadata={name: value for name, value in message.metadata.items() if name not in (USAGE, FINISH_REASON)},
        elapsed_time=run.elapsed_time,
        finished_at=finished,
        finish_reason=str(message.metadata.get(FINISH_REASON, "")),
    )


def _usage(record: dict[str, Any] | None) -> Usage:
    known = {name: value for name, value in (record or {}).items() if name in USAGE_FIELDS}
    return structs.convert(known, Usage)
