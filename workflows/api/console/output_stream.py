"""The outputs of a run's nodes as they come, for whoever may read its log, whoever asked for it: read from its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from apps.models import RunStatus
from difyproj.infra import db
from difyproj.kernel import clock, jsonio
from difyproj.tiers.streaming import Form
from workflows.models import WorkflowRun
from workflows.services import node_outputs
from workflows.services.node_outputs import NodeOutputs

Record = dict[str, Any]
POLL_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30 * 60.0
OPEN: Final = (RunStatus.RUNNING, RunStatus.PAUSED)


def _frame(number: int, record: Record) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (record["event"].encode(), number, jsonio.dumps(record["data"]))


FORM: Final = Form(_frame, b": keepalive\n\n")


class OutputStream:
    """Numbered records; ``finished`` once the run's end was handed out, or after half an hour, when readers come again."""

    def __init__(
        self, row: WorkflowRun, snapshot: Callable[[WorkflowRun], Record], shown: Callable[[NodeOutputs], Record]
    ) -> None:
        self.finished = False
        self._row, self._snapshot, self._shown = row, snapshot, shown
        self._seen: dict[str, Record] = {}
        self._number = 0
        self._mark: object = None
        self._until = clock.monotonic() + LONGEST_SECONDS
        self._poked = asyncio.Event()

    async def next(self, seconds: float | None = None) -> Sequence[tuple[int, Record]]:
        """What changed since the last time; nothing after ``seconds``, or when poked."""
        deadline = None if seconds is None else clock.monotonic() + seconds
        while not self.finished:
            records = await db.run(self._news)
            if records:
                first, self._number = self._number, self._number + len(records)
                return list(enumerate(records, first))
            self.finished = clock.monotonic() >= self._until
            if await self._was_poked() or (deadline is not None and clock.monotonic() >= deadline):
                break
        return ()

    def poke(self) -> None:
        self._poked.set()

    def cancel(self) -> None:
        self.finished = True
        self._poked.set()

    async def _was_poked(self) -> bool:
        try:
            await asyncio.wait_for(self._poked.wait(), POLL_SECONDS)
        except TimeoutError:
            return False
        self._poked.clear()
        return True

    def _news(self) -> list[Record]:
        """The status is read before the nodes: an end is told behind all of them."""
        self._row.run.refresh_from_db(fields=["status"])
        status = self._row.run.status
        mark, self._mark = self._mark, node_outputs.mark_of(self._row)
        records: list[Record] = []
        if not self._number:
            whole = self._snapshot(self._row)
            self._seen = {node["node_id"]: node for node in whole["node_outputs"]}
            records.append({"event": "snapshot", "data": whole})
        elif mark != self._mark:
            nodes = [self._shown(found) for found in node_outputs.of_run(self._row)]
            changed = [node for node in nodes if node != self._seen.get(node["node_id"])]
            self._seen |= {node["node_id"]: node for node in changed}
            records = [{"event": "node_changed", "data": node} for node in changed]
        if status not in OPEN:
            self.finished = True
            ended = {"workflow_run_id": str(self._row.run_id), "workflow_run_status": status}
            records.append({"event": "workflow_run_completed", "data": ended})
        return records
