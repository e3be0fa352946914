"""Java properties: a line ``name: value`` for each, comments kept."""

from __future__ import annotations

import re
from typing import Final

from datasets.rag.extract.base import Extracted
from datasets.rag.extract.plain import text_of

_PAIR: Final = re.compile(r"((?:\\.|[^\\=:\s])+)\s*[=:\s]\s*(.*)")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_KNOWN: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def extract(data: bytes) -> Extracted:
    return Extracted("\n".join(_line(line) for line in _logical_lines(text_of(data))).strip())


def _logical_lines(text: str) -> list[str]:
    """Lines; one that ends in a backslash goes on in the next."""
    lines: list[str] = []
    goes_on = False
    for raw in text.split("\n"):
        line = raw.lstrip()
        if goes_on:
            lines[-1] += line
        else:
            lines.append(line)
        is_comment = lines[-1].startswith(("#", "!"))
        goes_on = not is_comment and (len(line) - len(line.rstrip("\\"))) % 2 == 1
        if goes_on:
            lines[-1] = lines[-1][:-1]
    return lines


def _line(line: str) -> str:
    match = None if line.startswith(("#", "!")) else _PAIR.fullmatch(line)
    return f"{_plain(match[1])}: {_plain(match[2])}" if match else line.rstrip()


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1][1:], 16)) if len(found[1]) == 5 else _KNOWN.get(found[1], found[1]), text)
