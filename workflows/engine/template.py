"""Text with references in it: ``{{#node.var#}}`` for graphs, ``{{variable}}`` for app prompts. No expression language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from .pool import MISSING, VariablePool
from .values import to_text

_REFERENCE = re.compile(r"\{\{#([a-zA-Z0-9_]{1,50}(?:\.[a-zA-Z_][a-zA-Z0-9_]{0,29}){1,10})#\}\}")
_VARIABLE = re.compile(r"\{\{([a-zA-Z_][a-zA-Z0-9_]{0,29}|#histories#|#query#|#context#)\}\}")

Selector = tuple[str, ...]


class Template(msgspec.Struct, frozen=True):
    """A parsed template: literal text and selectors, in order. In a ``bare`` one nothing stands for a missing value, and all
    values are plain text."""

    segments: tuple[str | Selector, ...]
    bare: bool = False

    @property
    def selectors(self) -> tuple[Selector, ...]:
        return tuple(segment for segment in self.segments if not isinstance(segment, str))

    def render(self, pool: VariablePool, show: Callable[[Any], str] = to_text) -> str:
        """The text with values in place; a reference to nothing leaves its dotted name, as clients of Dify know it."""
        return "".join(segment if isinstance(segment, str) else self.show(segment, pool, show) for segment in self.segments)

    def show(self, selector: Selector, pool: VariablePool, show: Callable[[Any], str] = to_text) -> str:
        """The text that stands for one of its selectors."""
        return to_text(pool.get(selector)) if self.bare else render_reference(selector, pool, show)


def render_reference(selector: Selector, pool: VariablePool, show: Callable[[Any], str] = to_text) -> str:
    value = pool.get(selector, MISSING)
    return ".".join(selector) if value is MISSING else show(value)


@lru_cache(maxsize=4096)
def parse(text: str) -> Template:
    """Split ``text`` at its ``{{#node.var#}}`` references. Anything else stays literal."""
    segments: list[str | Selector] = []
    position = 0
    for match in _REFERENCE.finditer(text):
        if match.start() > position:
            segments.append(text[position : match.start()])
        segments.append(tuple(match.group(1).split(".")))
        position = match.end()
    if position < len(text):
        segments.append(text[position:])
    return Template(tuple(segments))


def variables(text: str) -> list[str]:
    """Names of the ``{{variable}}`` references of an app prompt, special ones such as ``#query#`` included."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def fill(text: str, values: Mapping[str, Any], special: Mapping[str, str] | None = None) -> str:
    """An app prompt with ``{{variable}}`` replaced.

    A name without a value stays as it is written. Double braces inside values become single ones, so that a value never
    acts as a template. ``special`` holds ``#context#``, ``#query#`` and ``#histories#``; model control tokens
    (``<|...|>``) are taken out of the result.
    """
    extra = special or {}

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in extra:
            return extra[name]
        if name.startswith("#") or name not in values:
            return match.group(0)
        return _VARIABLE.sub(r"{\1}", to_text(values[name]))

    return without_model_tokens(_VARIABLE.sub(replace, text))


def without_model_tokens(text: str) -> str:
    """``text`` without ``<|...|>``, each within a line, in one pass: a pattern would look for every end anew."""
    if "<|" not in text:
        return text
    return "\n".join(map(_line_without_model_tokens, text.split("\n")))


def _line_without_model_tokens(line: str) -> str:
    kept: list[str] = []
    position = 0
    while (start := line.find("<|", position)) >= 0 and (end := line.find("|>", start + 2)) >= 0:
        kept.append(line[position:start])
        position = end + 2
    return "".join(kept) + line[position:]
