"""What iterations and loops have in common: their own events, and adding up what their rounds took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from difyproj.kernel import clock

from .events import ContainerFinished, ContainerNext, ContainerStarted, Place
from .node import NodeContext, RoundFinished


@dataclass(slots=True)
class Container:
    """The run of one container. ``durations`` are seconds by round, as metadata tells them."""

    ctx: NodeContext[Any]
    kind: str
    inputs: Mapping[str, Any]
    began: float = field(default_factory=clock.monotonic)
    created_at: float = field(default_factory=lambda: clock.now().timestamp())
    steps: int = 0
    tokens: int = 0
    durations: dict[str, float] = field(default_factory=dict)
    _begun: dict[int, float] = field(default_factory=dict)

    @property
    def place(self) -> Place | None:
        return self.ctx.children.place if self.ctx.children is not None else None

    @property
    def metadata(self) -> dict[str, Any]:
        return {f"{self.kind}_duration_map": dict(self.durations), "total_tokens": self.tokens}

    def started(self, metadata: Mapping[str, Any]) -> ContainerStarted:
        return ContainerStarted(
            self.kind,
            self.ctx.node_id,
            self.kind,
            self.ctx.title,
            self.created_at,
            dict(self.inputs),
            dict(metadata),
            self.place,
        )

    def next(self, index: int, previous: Any) -> ContainerNext:
        now = clock.now().timestamp()
        return ContainerNext(self.kind, self.ctx.node_id, self.kind, self.ctx.title, index, now, previous, self.place)

    def begin(self, index: int) -> None:
        self._begun[index] = clock.monotonic()

    def add(self, index: int, end: RoundFinished) -> None:
        """Round ``index`` is over."""
        self.steps += end.steps
        self.tokens += end.total_tokens
        self.durations[str(index)] = round(clock.monotonic() - self._begun[index], 6)

    def finished(
        self, status: str, outputs: Mapping[str, Any], metadata: Mapping[str, Any] | None = None, error: str | None = None
    ) -> ContainerFinished:
        return ContainerFinished(
            container_kind=self.kind,
            node_id=self.ctx.node_id,
            node_type=self.kind,
            title=self.ctx.title,
            status=status,
            created_at=self.created_at,
            finished_at=clock.now().timestamp(),
            elapsed_time=round(clock.monotonic() - self.began, 6),
            steps=self.steps,
            inputs=dict(self.inputs),
            outputs=dict(outputs),
            metadata={**self.metadata, **(metadata or {})},
            error=error,
            total_tokens=self.tokens,
            place=self.place,
        )
