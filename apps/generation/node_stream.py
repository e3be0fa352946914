"""What happens inside one container of a draft that is tried alone, for whoever looks on. It ends with its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from apps.modes.mode import WORKFLOW
from difyproj.infra import loop
from difyproj.kernel import clock, ids
from workflows.engine.events import RunEvent

from . import node_run
from .node_run import NodePlan
from .request import Reply
from .wire import Record
from .wire_workflow import WorkflowWire


class NodeStream:
    """Numbered public records, as a workflow's run has them; on the loop. ``finished`` once the last one was handed out."""

    def __init__(self, plan: NodePlan) -> None:
        self.finished = False
        reply = Reply(
            run_id=ids.new_id(),
            mode=WORKFLOW.name,
            tier=plan.principal.tier,
            created_at=clock.epoch(clock.now()),
            message_id=None,
            conversation_id=None,
            tenant_id=plan.app.tenant_id,
            app_id=plan.app.pk,
            workflow_id=plan.workflow.workflow_id,
        )
        self._wire = WorkflowWire(reply)
        self._ready: list[Record] = []
        self._number = 0
        self._news = asyncio.Event()
        self._task = loop.spawn(self._run(plan), name=f"node-{plan.node_id}")

    async def next(self, seconds: float | None = None) -> Sequence[tuple[int, Record]]:
        """The next records, at once all that wait; none after ``seconds`` without one, or when poked."""
        if not self._ready and not self._task.done():
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), seconds)
            except TimeoutError:
                return ()
        records, self._ready = self._ready, []
        first, self._number = self._number + 1, self._number + len(records)
        if self._task.done():
            self.finished = True
            self._task.result()
        return list(enumerate(records, first))

    def poke(self) -> None:
        self._news.set()

    def cancel(self) -> None:
        """The reader is gone: the node is not worth its work any more."""
        self.finished = True
        self._task.cancel()

    async def _run(self, plan: NodePlan) -> None:
        try:
            await node_run.run(plan, watch=self._note)
        finally:
            self._news.set()

    def _note(self, event: RunEvent) -> None:
        self._ready.extend(self._wire.records(event))
        self._news.set()
