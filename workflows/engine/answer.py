"""Answer ordering: text reaches readers in the order the answer templates state it, however the nodes race."""

from __future__ import annotations

from .events import TextChunk
from .frontier import Frontier
from .graph import BoundGraph
from .pool import VariablePool
from .template import Selector, Template, render_reference
from .values import to_markdown


class _Answer:
    """Progress through one template: ``position`` is the segment whose turn it is."""

    def __init__(self, node_id: str, template: Template, waits_for: frozenset[str]) -> None:
        self.node_id = node_id
        self.segments = template.segments
        self.waits_for = waits_for
        self.position = 0
        self.values: dict[Selector, str] = {}

    @property
    def done(self) -> bool:
        return self.position >= len(self.segments)


class AnswerStream:
    """Turns what nodes write into the text chunks of a run.

    An answer becomes active once every branch before it is decided and it was not skipped. Active answers speak one
    after the other. Text for a segment whose turn has not come is kept until then. ``order`` lists the answers that
    have spoken to their end.
    """

    def __init__(self, bound: BoundGraph, pool: VariablePool, frontier: Frontier) -> None:
        self._pool = pool
        self._frontier = frontier
        self._nodes = bound.graph.nodes
        self._waiting = [
            _Answer(name, bound.answers[name], bound.graph.branches & bound.graph.ancestors(name))
            for name in bound.graph.order
            if name in bound.answers
        ]
        self._wanted = {selector for answer in bound.answers.values() for selector in answer.selectors}
        self._active: list[_Answer] = []
        self.order: list[str] = []
        self._spoken: set[Selector] = set()
        self._kept: dict[Selector, list[str]] = {}
        self._turn: Selector | None = None

    def feed(self, node_id: str, variable: str, text: str) -> TextChunk | None:
        """A running node wrote ``text``: the chunk to send now, or None when its turn has not come (or never will)."""
        turn = self._turn
        if turn is not None and turn[0] == node_id and turn[1] == variable and len(turn) == 2:
            self._spoken.add(turn)
            return TextChunk(text, turn)
        if (node_id, variable) in self._wanted:
            self._kept.setdefault((node_id, variable), []).append(text)
        return None

    def advance(self) -> list[TextChunk]:
        """Everything that may be sent now that a node has ended."""
        self._activate()
        chunks: list[TextChunk] = []
        while self._active:
            current = self._active[0]
            while not current.done and self._speak(current, chunks):
                current.position += 1
            if not current.done:
                break
            self.order.append(self._active.pop(0).node_id)
            self._spoken.clear()
        return chunks

    def freeze(self, node_id: str) -> list[TextChunk]:
        """The answer ``node_id`` is about to run: what it has not said yet is what the pool says now, and it waits no more."""
        for answer in self._active:
            if answer.node_id == node_id:
                left = answer.segments[answer.position :]
                answer.values = {
                    each: render_reference(each, self._pool, to_markdown) for each in left if not isinstance(each, str)
                }
        return self.advance()

    def _activate(self) -> None:
        undecided = []
        for answer in self._waiting:
            if not answer.waits_for <= self._frontier.decided:
                undecided.append(answer)
            elif answer.node_id not in self._frontier.skipped:
                self._active.append(answer)
        self._waiting = undecided
        self._turn = None

    def _speak(self, answer: _Answer, chunks: list[TextChunk]) -> bool:
        """Send the segment whose turn it is; False when it is not complete yet."""
        segment = answer.segments[answer.position]
        if isinstance(segment, str):
            chunks.append(TextChunk(segment, (answer.node_id, "answer")))
            return True
        frozen = answer.values.get(segment)
        complete = frozen is not None or segment[0] not in self._nodes or segment[0] in self._frontier.decided
        kept = self._kept.pop(segment[:2], None)
        if not complete:
            self._turn = segment
            if kept:
                self._spoken.add(segment)
                chunks.append(TextChunk("".join(kept), segment))
        elif segment in self._spoken:
            self._spoken.discard(segment)
        elif text := render_reference(segment, self._pool, to_markdown) if frozen is None else frozen:
            chunks.append(TextChunk(text, segment))
        return complete
