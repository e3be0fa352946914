"""Java properties: a line ``name: value`` for each, comments kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from datasets.rag.extract.base import Document, Source, whole
from datasets.rag.extract.plain import text_of

_MOST_BYTES: Final = 16 * 1024**2
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_SEPARATORS: Final = "=: \t\f"
_KNOWN: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def extract(source: Source) -> Document:
    text = text_of(source.read(_MOST_BYTES))
    return whole("\n".join(_line(line) for line in _logical_lines(text)).strip())


def _logical_lines(text: str) -> Iterator[str]:
    """Lines; one that ends in a backslash goes on in the next."""
    pieces: list[str] = []
    for raw in text.split("\n"):
        line = raw.lstrip()
        is_comment = not pieces and line.startswith(("#", "!"))
        goes_on = not is_comment and (len(line) - len(line.rstrip("\\"))) % 2 == 1
        pieces.append(line[:-1] if goes_on else line)
        if not goes_on:
            yield "".join(pieces)
            pieces = []
    if pieces:
        yield "".join(pieces)


def _line(line: str) -> str:
    name, value = ("", "") if line.startswith(("#", "!")) else _pair(line)
    return f"{_plain(name)}: {_plain(value)}" if value else line.rstrip()


def _pair(line: str) -> tuple[str, str]:
    """What stands before the first separator that no backslash hides, and what behind it."""
    at = 0
    while at < len(line) and line[at] not in _SEPARATORS:
        at += 2 if line[at] == "\\" else 1
    value = line[at:].lstrip()
    return line[:at], value[1:].lstrip() if value[:1] in ("=", ":") else value


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1][1:], 16)) if len(found[1]) == 5 else _KNOWN.get(found[1], found[1]), text)
