"""Which nodes may run next: edges are undecided, taken or skipped; a node waits until all its edges are decided."""

from __future__ import annotations

from collections import deque

from .graph import SOURCE, BoundGraph


class Frontier:
    """The scheduling state of one run. Pure: it knows ids and handles, not what a node does."""

    def __init__(self, bound: BoundGraph) -> None:
        self._graph = bound.graph
        self._branches = bound.graph.branches
        self._edges: list[bool | None] = [None] * len(self._graph.edges)
        self.decided: set[str] = set()
        self.skipped: set[str] = set()
        self._ready: deque[str] = deque([bound.entry])
        for name in self._graph.nodes:
            if not self._graph.incoming[name] and name != bound.entry:
                self._skip(name)

    def take(self) -> str | None:
        """The next node that may run, or None when nothing is left."""
        return self._ready.popleft() if self._ready else None

    def settle(self, node_id: str, handle: str) -> None:
        """``node_id`` ended and chose ``handle``: decide its edges, and what follows from that.

        A node without branches takes all its edges. Where a branch node leaves through ``source`` although its edges
        name other handles, the success branch is meant.
        """
        self.decided.add(node_id)
        branching = node_id in self._branches
        names = {handle, "success-branch"} if handle == SOURCE else {handle}
        for index in self._graph.outgoing[node_id]:
            self._decide(index, not branching or self._graph.edges[index].source_handle in names)

    def _decide(self, index: int, taken: bool) -> None:
        self._edges[index] = taken
        target = self._graph.edges[index].target
        states = [self._edges[each] for each in self._graph.incoming[target]]
        if None in states:
            return
        if True in states:
            self._ready.append(target)
        else:
            self._skip(target)

    def _skip(self, node_id: str) -> None:
        self.skipped.add(node_id)
        self.decided.add(node_id)
        for index in self._graph.outgoing[node_id]:
            self._decide(index, False)
