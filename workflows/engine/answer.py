"""Answer ordering: text reaches readers in the order the answer templates state it, however the nodes race."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from .events import RunEvent, TextChunk
from .frontier import Frontier
from .graph import BoundGraph
from .pool import VariablePool
from .template import Selector, Template
from .values import to_markdown


class TextWithdrawn(RunEvent, frozen=True):
    """Between the walks of a run, never shown: the last ``length`` characters that this walk sent do not count."""

    length: int


Said = TextChunk | TextWithdrawn


class _Answer:
    """Progress through one template: ``position`` is the segment whose turn it is, ``said`` the pieces that were sent and
    ``mark`` how many of them before that segment. ``gates`` are the nodes that must be decided before the answer is active,
    ``behind`` the answers that speak before it."""

    def __init__(self, node_id: str, template: Template, gates: int, behind: int) -> None:
        self.node_id, self.template, self.gates, self.behind = node_id, template, gates, behind
        self.segments = template.segments
        self.position = self.mark = 0
        self.said: list[str] = []
        self.values: dict[Selector, str] = {}

    @property
    def done(self) -> bool:
        return self.position >= len(self.segments)

    @property
    def turn(self) -> Selector | None:
        """The reference whose turn it is."""
        segment = None if self.done else self.segments[self.position]
        return None if isinstance(segment, str) else segment


class AnswerStream:
    """Turns what nodes write into the text of a walk.

    An answer becomes active once every branch before it is decided and it was not skipped. Of the active ones the first that
    has something to say takes the floor and keeps it to its end, but none before those that the graph places before it.
    Text for a segment whose turn has not come is kept until then. A container with answers inside is an answer, too: its one
    segment, ``(id,)``, is what they say.
    """

    def __init__(self, bound: BoundGraph, pool: VariablePool, frontier: Frontier) -> None:
        self._pool, self._frontier = pool, frontier
        self._nodes = bound.graph.nodes
        self._places = bound.places if any(map(any, bound.gates.values())) else {}
        self._waiting = [
            _Answer(name, bound.answers[name], *bound.gates[name]) for name in bound.graph.order if name in bound.answers
        ]
        self._wanted = {selector for answer in bound.answers.values() for selector in answer.selectors}
        self._active: list[_Answer] = []
        self._floor: _Answer | None = None
        self._spoke: list[_Answer] = []
        # What the answers that may speak next wait for, and what came for segments whose turn has not come.
        self._awaited: dict[Selector, _Answer] = {}
        self._kept: dict[Selector, list[TextChunk]] = {}
        self._spoken: set[Selector] = set()
        # As sets of bits: the nodes that are decided, of which ``seen`` were counted, and the answers that are over.
        self._seen, self._decided, self._over = 0, 0, 0

    @property
    def text(self) -> str:
        """All that was said and not withdrawn."""
        return "".join(piece for answer in self._spoke for piece in answer.said)

    def feed(self, node_id: str, variable: str, text: str) -> TextChunk | None:
        """A running node wrote ``text``: the chunk to send now, or None when its turn has not come (or never will)."""
        key = (node_id, variable)
        if key in self._awaited:
            return self._say(key, TextChunk(text, key))
        if key in self._wanted:
            self._kept.setdefault(key, []).append(TextChunk(text, key))
        return None

    def pass_on(self, container: str, said: Said) -> Said | None:
        """The answers inside ``container`` said something: what to send now."""
        key = (container,)
        if key not in self._awaited and self._kept.get(key) and isinstance(said, TextWithdrawn):
            self._kept[key] = _shortened(self._kept[key], said.length)
        elif isinstance(said, TextWithdrawn):
            return self._take_back(key[0], said)
        elif key in self._awaited:
            return self._say(key, said)
        else:
            self._kept.setdefault(key, []).append(said)
        return None

    def withdraw(self, node_id: str) -> TextWithdrawn | None:
        """``node_id`` failed: what it wrote so far does not count."""
        for key in [key for key in self._kept if key[0] == node_id and len(key) > 1]:
            del self._kept[key]
        turn = self._floor.turn if self._floor is not None else None
        if self._floor is None or turn is None or turn[0] != node_id or turn not in self._spoken or len(turn) < 2:
            return None
        self._spoken.discard(turn)
        length = sum(map(len, self._floor.said[self._floor.mark :]))
        del self._floor.said[self._floor.mark :]
        return TextWithdrawn(length) if length else None

    def advance(self) -> list[TextChunk]:
        """Everything that may be sent now that a node has ended."""
        self._activate()
        chunks: list[TextChunk] = []
        while self._active:
            current = self._floor or next((each for each in self._active if self._can_speak(each)), None)
            if current is None:
                break
            self._give_floor(current)
            while not current.done and self._speak(current, chunks):
                current.position += 1
                current.mark = len(current.said)
            if not current.done:
                break
            self._active.remove(current)
            self._over |= self._places.get(current.node_id, 0)
            self._floor = None
            self._spoken.clear()
        speakers = (
            [self._floor] if self._floor is not None else [each for each in self._active if not each.behind & ~self._over]
        )
        self._awaited = {each.turn: each for each in reversed(speakers) if each.turn is not None}
        return chunks

    def freeze(self, node_id: str) -> list[TextChunk]:
        """The answer ``node_id`` is about to run: what it has not said yet is what the pool says now, and it waits no more."""
        for answer in self._active:
            if answer.node_id == node_id:
                left = answer.segments[answer.position :]
                answer.values = {each: self._text(answer, each) for each in left if not isinstance(each, str)}
        return self.advance()

    def restore(self, told: Mapping[str, str]) -> list[TextChunk]:
        """Answers had run and said what ``told`` holds by node, whatever their variables hold now. Gives all that was said."""
        for answer in self._spoke:
            if answer.node_id in told:
                answer.said[:] = [told[answer.node_id]]
        for answer in self._active:
            if answer.node_id in told and answer is not self._floor:
                answer.segments = (told[answer.node_id],)
        texts = ((answer.node_id, "".join(answer.said)) for answer in self._spoke)
        return [TextChunk(text, (name, "answer")) for name, text in texts if text]

    def _give_floor(self, answer: _Answer) -> None:
        if self._floor is not answer:
            self._floor = answer
            self._spoke.append(answer)

    def _activate(self) -> None:
        known = self._frontier.decided
        if not self._waiting:
            return
        for name in islice(reversed(known), len(known) - self._seen) if self._places else ():
            self._decided |= self._places[name]
        self._seen = len(known)
        undecided = []
        for answer in self._waiting:
            if answer.gates & ~self._decided:
                undecided.append(answer)
            elif answer.node_id in self._frontier.skipped:
                self._over |= self._places.get(answer.node_id, 0)
            else:
                self._active.append(answer)
        self._waiting = undecided

    def _can_speak(self, answer: _Answer) -> bool:
        turn = answer.turn
        if answer.behind & ~self._over:
            return False
        return turn is None or bool(self._kept.get(turn)) or self._is_complete(answer, turn)

    def _is_complete(self, answer: _Answer, segment: Selector) -> bool:
        scope = segment[0]
        return segment in answer.values or scope not in self._nodes or scope in self._frontier.decided

    def _speak(self, answer: _Answer, chunks: list[TextChunk]) -> bool:
        """Send the segment whose turn it is; False when it is not complete yet."""
        segment = answer.segments[answer.position]
        if isinstance(segment, str):
            chunks += _sent(answer, TextChunk(segment, (answer.node_id, "answer")))
            return True
        complete = self._is_complete(answer, segment)
        kept = self._kept.pop(segment, ())
        if len(segment) == 1:
            for chunk in kept:
                chunks += _sent(answer, chunk)
        elif not complete:
            if kept:
                self._spoken.add(segment)
                chunks += _sent(answer, TextChunk("".join(chunk.text for chunk in kept), segment))
        elif segment in self._spoken:
            self._spoken.discard(segment)
        elif text := answer.values[segment] if segment in answer.values else self._text(answer, segment):
            chunks += _sent(answer, TextChunk(text, segment))
        return complete

    def _say(self, key: Selector, chunk: TextChunk) -> TextChunk:
        """``chunk`` is sent while its segment is not complete."""
        if self._floor is None:
            self._give_floor(self._awaited[key])
            self._awaited = {key: self._awaited[key]}
        self._spoken.add(key)
        self._awaited[key].said.append(chunk.text)
        return chunk

    def _take_back(self, container: str, withdrawn: TextWithdrawn) -> TextWithdrawn:
        """The end of what was said inside a container does not count; nobody has spoken since."""
        answer = next(answer for answer in reversed(self._spoke) if answer.node_id == container)
        answer.said[:] = ["".join(answer.said)[: -withdrawn.length]]
        return withdrawn

    def _text(self, answer: _Answer, segment: Selector) -> str:
        return "" if len(segment) == 1 else answer.template.show(segment, self._pool, to_markdown)


def _sent(answer: _Answer, chunk: TextChunk) -> list[TextChunk]:
    answer.said.append(chunk.text)
    return [chunk]


def _shortened(chunks: list[TextChunk], length: int) -> list[TextChunk]:
    """Without the last ``length`` characters."""
    left = list(chunks)
    while left and length:
        last = left.pop()
        if len(last.text) > length:
            left.append(TextChunk(last.text[:-length], last.selector))
        length -= min(length, len(last.text))
    return left
