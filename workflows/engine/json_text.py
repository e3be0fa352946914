"""JSON in what a model wrote: behind its thoughts, in a fence, amid prose, with the mistakes that models make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import json_repair

from difyproj.kernel import jsonio

from .reasoning import CLOSE, OPEN

_THOUGHT = re.compile(f"{OPEN}.*?(?:{CLOSE}|\\Z)", re.DOTALL)
_MARK = re.compile(r'[\\"{}]')
_MOST_REPAIR = 200_000
"""Opening brackets times characters: repairing takes time in proportion, at most a third of a second here."""


def without_thoughts(text: str) -> str:
    """``text`` without its think blocks. One that never ends goes to the end; an end without a beginning takes all before."""
    rest = _THOUGHT.sub("", text) if OPEN in text else text
    return rest.rpartition(CLOSE)[2].strip()


def value(text: str) -> Any:
    """``text`` as JSON of any type if it is just that, else the first object in it; None when there is neither."""
    plain = without_thoughts(text)
    try:
        return jsonio.loads(plain)
    except ValueError:
        return first_object(plain)


def first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in ``text``; where none is sound, what can be made of the first that was meant."""
    for piece in _in_braces(text):
        found = _loaded(piece)
        if isinstance(found, dict):
            return found
    return _repaired(text)


def _in_braces(text: str) -> Iterator[str]:
    """What stands between a brace and the one that closes it, outermost only; braces in quotes do not count."""
    depth = start = 0
    escaped = -1
    quoted = False
    for match in _MARK.finditer(text):
        mark, at = match.group(), match.start()
        if at == escaped:
            continue
        if mark == '"':
            quoted = depth > 0 and not quoted
        elif quoted or mark == "\\":
            escaped = at + 1 if quoted and mark == "\\" else escaped
        elif mark == "{":
            start = start if depth else at
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                yield text[start : match.end()]


def _loaded(text: str) -> Any:
    try:
        return jsonio.loads(text)
    except ValueError:
        return None


def repaired(text: str) -> Any:
    """What can be made of JSON with mistakes in it; None where that is nothing, or would take too long."""
    if (text.count("{") + text.count("[")) * len(text) > _MOST_REPAIR:
        return None
    try:
        return json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None


def _repaired(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    found = repaired(text[start:]) if start >= 0 else None
    candidates = found if isinstance(found, list) else [found]
    return next((one for one in candidates if isinstance(one, dict) and one), None)
