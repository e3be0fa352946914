"""Where a model's thinking goes: into the answer between think tags, or apart from it."""

from __future__ import annotations

from .events import ReasoningChunk
from .node import NodeText

OPEN, CLOSE = "<think>", "</think>"


class TaggedReasoning:
    """Reasoning that the provider sends apart is written into the text between think tags."""

    def __init__(self) -> None:
        self.thinking = False

    def feed(self, text: str, reasoning: str) -> list[NodeText | ReasoningChunk]:
        out = ""
        if reasoning:
            out += reasoning if self.thinking else f"{OPEN}\n{reasoning}"
            self.thinking = True
        if text:
            out += f"\n{CLOSE}\n{text}" if self.thinking else text
            self.thinking = False
        return [NodeText(out)] if out else []

    def end(self) -> list[NodeText | ReasoningChunk]:
        if not self.thinking:
            return []
        self.thinking = False
        return [NodeText(f"\n{CLOSE}\n")]


class SeparatedReasoning:
    """Think blocks leave the text, also when a tag is cut by a chunk border; both sources become reasoning chunks."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._held = ""
        self._inside = False
        self.thinking = True
        self.reasoning: list[str] = []

    def feed(self, text: str, reasoning: str) -> list[NodeText | ReasoningChunk]:
        out: list[NodeText | ReasoningChunk] = []
        if reasoning:
            self._write(out, reasoning, inside=True)
        rest = self._held + text
        self._held = ""
        while rest:
            tag = CLOSE if self._inside else OPEN
            before, found, after = rest.partition(tag)
            if not found:
                keep = _tail_of(rest, tag)
                self._held = rest[len(rest) - keep :] if keep else ""
                self._write(out, rest[: len(rest) - keep], inside=self._inside)
                break
            self._write(out, before, inside=self._inside)
            self._inside, rest = not self._inside, after
        return out

    def end(self) -> list[NodeText | ReasoningChunk]:
        out: list[NodeText | ReasoningChunk] = []
        self._write(out, self._held, inside=self._inside)
        self._held = ""
        if self.reasoning:
            out.append(ReasoningChunk("", node_id=self._node_id, is_final=True))
        return out

    def _write(self, out: list[NodeText | ReasoningChunk], text: str, *, inside: bool) -> None:
        if not text:
            return
        if inside:
            self.reasoning.append(text)
            out.append(ReasoningChunk(text, node_id=self._node_id))
        else:
            out.append(NodeText(text))


def _tail_of(text: str, tag: str) -> int:
    """Length of the longest end of ``text`` that may be the beginning of ``tag``."""
    return next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-size:])), 0)
