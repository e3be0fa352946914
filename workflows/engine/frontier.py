"""Which nodes may run next: edges are undecided, taken or skipped; a node waits until all its edges are decided."""

from __future__ import annotations

from .graph import BoundGraph
from .spec import FAIL_BRANCH, SOURCE, SUCCESS_BRANCH


class Frontier:
    """The scheduling state of one walk. Pure: it knows ids and handles, not what a node does.

    ``ready`` holds the nodes that may run, in order, each with the node that made way for it; ``decided`` lists, in order,
    those that ended or were skipped.
    """

    def __init__(self, bound: BoundGraph) -> None:
        self._graph = bound.graph
        self._undecided = {name: len(edges) for name, edges in bound.graph.incoming.items()}
        self._by: dict[str, str] = {}
        self.decided: dict[str, None] = {}
        self.skipped: set[str] = set()
        self.ready: dict[str, str | None] = {bound.entry: None}
        self._skip([name for name, count in self._undecided.items() if not count and name not in self.ready])

    def take(self) -> tuple[str, str | None]:
        """The next node, and the one before it."""
        name = next(iter(self.ready))
        return name, self.ready.pop(name)

    def settle(self, node_id: str, handle: str) -> None:
        """``node_id`` ended and chose ``handle``: decide its edges, and what follows from that.

        Who leaves through ``source`` takes all its edges but the one for failures; files name the way of success in both
        manners.
        """
        self.decided[node_id] = None
        dead: list[str] = []
        for index in self._graph.outgoing[node_id]:
            edge = self._graph.edges[index]
            taken = edge.source_handle == handle or (handle == SOURCE and edge.source_handle != FAIL_BRANCH)
            if handle == SUCCESS_BRANCH:
                taken = edge.source_handle in (SOURCE, SUCCESS_BRANCH)
            self._decide(edge.target, node_id if taken else None, dead)
        self._skip(dead)

    def _decide(self, target: str, by: str | None, dead: list[str]) -> None:
        if by is not None:
            self._by[target] = by
        self._undecided[target] -= 1
        if self._undecided[target]:
            return
        if target in self._by:
            self.ready[target] = self._by[target]
        else:
            dead.append(target)

    def _skip(self, dead: list[str]) -> None:
        """Skip ``dead``, and whatever only they lead to; ways may be long, so without recursion."""
        while dead:
            name = dead.pop()
            self.skipped.add(name)
            self.decided[name] = None
            for index in self._graph.outgoing[name]:
                self._decide(self._graph.edges[index].target, None, dead)
