"""One execution of a node: its tries, what comes out of them, and its own start and end as events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from difyproj.kernel import clock
from difyproj.kernel.errors import Conflict, DomainError, InternalError, InvalidParam

from .events import Assigned, NodeFinished, NodeRetried, NodeStarted, Place, Usage
from .limits import LimitExceeded, is_larger
from .node import NEVER_AGAIN, Done, NodeContext, NodeOutput, Waiting
from .policies import Policy
from .spec import NodeSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failed:
    """Instead of Done: no try succeeded."""

    error: DomainError


Outcome = NodeOutput | Failed
_ENDS: Final = (Done, Waiting)


@dataclass(slots=True)
class Execution:
    """``begun`` says that an earlier process had announced it; it then goes on under its old id.

    ``assigned`` is what the node assigned, read in the moment in which it ended: others assign meanwhile. ``usage`` is what
    model calls of tries that failed cost, together with the last one's.
    """

    spec: NodeSpec
    kind: type[Any]
    policy: Policy
    context: NodeContext[Any]
    index: int
    predecessor: str | None = None
    place: Place | None = None
    begun: bool = False
    began: float = field(default_factory=clock.monotonic)
    created_at: float = field(default_factory=lambda: clock.now().timestamp())
    assigned: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    usage: Usage | None = None

    async def outputs(self) -> AsyncGenerator[Outcome, None]:
        """What the node gives, with a NodeRetried after each try that another one follows; last a Done, Waiting or Failed."""
        if self.begun and self.kind.repeats == NEVER_AGAIN and self.context.resumption is None:
            yield Failed(Conflict("The server stopped while this node was at work. It may not run again, so it failed."))
            return
        tries, began, created_at = 0, self.began, self.created_at
        error: DomainError
        while True:
            try:
                async with aclosing(self.kind().run(self.context)) as outputs:
                    async for output in outputs:
                        if isinstance(output, _ENDS):
                            self._check_end(output)
                            if tries:
                                await self._count_tries()
                            yield output
                            return
                        yield output
                raise RuntimeError(f"The node type {self.spec.type} ended without its outputs.")
            except DomainError as raised:
                error = raised
            except Exception:
                log.exception("node failed", extra={"node_id": self.spec.id, "node_type": self.spec.type})
                error = InternalError()
            if tries >= self.policy.retries or isinstance(error, LimitExceeded):
                await self._count_tries()
                yield Failed(error)
                return
            tries += 1
            yield self._retried(tries, error, began, created_at)
            await asyncio.sleep(self.policy.pause)
            began, created_at = clock.monotonic(), clock.now().timestamp()

    async def _count_tries(self) -> None:
        context = self.context
        self.usage = await context.state.usage_of(context.execution_id, context.ports.models)

    def _check_end(self, end: Done | Waiting) -> None:
        """Raises InvalidParam for an end that the engine does not take."""
        limits = self.context.limits
        if isinstance(end, Waiting):
            return
        if is_larger(end.outputs, limits.output_size):
            raise InvalidParam(f"The outputs are larger than {limits.output_size} characters.")
        assigned = self.context.pool.take_assigned()
        for (scope, name), value in assigned.items():
            if is_larger(value, limits.variable_size):
                raise InvalidParam(f"The variable {scope}.{name} is larger than {limits.variable_size} characters.")
        self.assigned = assigned

    def started(self) -> NodeStarted:
        return NodeStarted(
            self.context.execution_id,
            self.spec.id,
            self.spec.type,
            self.context.title,
            self.index,
            self.created_at,
            self.predecessor,
            self.place,
        )

    def succeeded(self, done: Done) -> NodeFinished:
        return self._ended("succeeded", done)

    def excused(self, done: Done, error: DomainError) -> NodeFinished:
        """A failure that the node's strategy handled by ``done``."""
        return self._ended("exception", done, error=error.message, strategy=self.policy.strategy)

    def failed(self, error: DomainError) -> NodeFinished:
        return self._ended("failed", error=error.message)

    def stopped(self) -> NodeFinished:
        return self._ended("stopped", error="Another node failed.")

    def _ended(self, status: str, done: Done | None = None, *, error: str | None = None, strategy: str = "") -> NodeFinished:
        return NodeFinished(
            execution_id=self.context.execution_id,
            node_id=self.spec.id,
            node_type=self.spec.type,
            title=self.context.title,
            index=self.index,
            status=status,
            created_at=self.created_at,
            finished_at=clock.now().timestamp(),
            elapsed_time=round(clock.monotonic() - self.began, 6),
            inputs=None if done is None or done.inputs is None else dict(done.inputs),
            outputs=None if done is None else dict(done.outputs),
            process_data=None if done is None or done.process_data is None else dict(done.process_data),
            error=error,
            usage=self.usage or (None if done is None else done.usage),
            handle="source" if done is None else done.handle,
            assigned=[Assigned(scope, name, value) for (scope, name), value in self.assigned.items()],
            error_strategy=strategy,
            place=self.place,
            predecessor_node_id=self.predecessor,
            metadata={} if done is None else dict(done.metadata),
        )

    def _retried(self, tries: int, error: DomainError, began: float, created_at: float) -> NodeRetried:
        return NodeRetried(
            execution_id=self.context.execution_id,
            node_id=self.spec.id,
            node_type=self.spec.type,
            title=self.context.title,
            index=self.index,
            retry_index=tries,
            error=error.message,
            created_at=created_at,
            finished_at=clock.now().timestamp(),
            elapsed_time=round(clock.monotonic() - began, 6),
            place=self.place,
            predecessor_node_id=self.predecessor,
        )
