"""What of the Console API's contract is built, off or planned: the table's words, joined with the routes that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from django.urls import URLPattern, URLResolver

FILE: Final = Path(__file__).with_name("console_operations.yaml")
METHODS: Final = ("get", "post", "put", "patch", "delete")
_CONVERTED: Final = re.compile(r"<(?:\w+:)?(\w+)>")
_NAMED: Final = re.compile(r"{\w+}")

Key = tuple[str, str]


class Status(StrEnum):
    BUILT = "built"
    OFF = "off"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Operation:
    """``word`` is what the table says of it: ``off`` or ``planned``, or nothing. ``about`` names what it belongs to."""

    method: str
    path: str
    group: str
    word: str = ""
    about: str = ""

    @property
    def key(self) -> Key:
        return key(self.method, self.path)

    def status(self, routed: frozenset[Key]) -> Status | None:
        """None for an operation that should be built and is not."""
        if self.word == Status.OFF:
            return Status.OFF
        if self.key in routed:
            return Status.BUILT
        return Status.PLANNED if self.word == Status.PLANNED else None


@dataclass(frozen=True, slots=True)
class Table:
    """``off`` and ``planned`` say what their names mean, ``answers`` what features that are off answer to who only reads;
    ``ours`` stand beyond the contract."""

    operations: tuple[Operation, ...]
    off: Mapping[str, str]
    planned: Mapping[str, str]
    answers: Mapping[Key, Any]
    ours: tuple[Operation, ...]


def key(method: str, path: str) -> Key:
    """What makes two writings of an operation the same; the names of parameters do not matter."""
    return method.lower(), _NAMED.sub("{}", path)


@cache
def read() -> Table:
    raw = yaml.load(FILE.read_text("utf-8"), Loader=yaml.CSafeLoader)
    operations = []
    for group, rows in raw["groups"].items():
        for operation, words in rows.items():
            word, _, about = (words or "").partition(" ")
            method, path = operation.split()
            operations.append(Operation(method, path, group, word, about))
    answers = {key(*operation.split()): answer for operation, answer in raw["answers"].items()}
    ours = tuple(_beyond(operation, why) for operation, why in raw["ours"].items())
    return Table(tuple(operations), raw["refusals"], raw["planned"], answers, ours)


def _beyond(operation: str, why: str) -> Operation:
    method, path = operation.split()
    return Operation(method, path, "Beyond the contract", about=why)


def routed(patterns: Iterable[URLPattern | URLResolver], prefix: str = "") -> frozenset[Key]:
    """The operations of the contract's kind that ``patterns`` serve below ``prefix``."""
    served = ((path.removeprefix(prefix), pattern) for path, pattern in _walk(patterns, "") if path.startswith(prefix))
    return frozenset(key(method, f"/{path}") for path, pattern in served for method in _methods(pattern))


def _walk(patterns: Iterable[URLPattern | URLResolver], above: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        path = above + _CONVERTED.sub(r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield path, pattern


def _methods(pattern: URLPattern) -> Iterable[str]:
    actions: Mapping[str, str] = getattr(pattern.callback, "actions", None) or {}
    return [method for method in METHODS if method in actions]


PAGE: Final = """# The Console API, operation by operation

Written by `script/console-operations` from the contract's list (`difyproj/tiers/console_operations.yaml`) and from the routes
that there are; the suite fails when it is old. **built** is served as the contract says. **off** belongs to the vendor's cloud,
marketplace or edition: a signed-in caller gets 403 `forbidden` with a sentence that says so, or, where a page reads it at its
start, an answer with nothing in it. **planned** has no route yet: 404.

| | operations |
|---|---|
{totals}

"""


def page(served: frozenset[Key]) -> str:
    """docs/api/console.md."""
    table = read()
    groups: dict[str, list[Operation]] = {}
    for operation in table.operations:
        groups.setdefault(operation.group, []).append(operation)
    rows = [f"| {word} | {count} |" for word, count in _counts(table.operations, served).items()]
    parts = [PAGE.format(totals="\n".join([*rows, f"| together | {len(table.operations)} |"]))]
    for group, operations in groups.items():
        told = ", ".join(f"{count} {word}" for word, count in _counts(operations, served).items() if count)
        parts.append(f"## {group}\n\n{told}\n\n| | operation | |\n|---|---|---|\n")
        parts += [_line(operation, served, table) for operation in operations]
        parts.append("\n")
    parts.append("## Beyond the contract\n\n| operation | why |\n|---|---|\n")
    parts += [f"| `{operation.method} {operation.path}` | {operation.about} |\n" for operation in table.ours]
    return "".join(parts)


def _counts(operations: Iterable[Operation], served: frozenset[Key]) -> dict[Status, int]:
    counts = dict.fromkeys(Status, 0)
    for operation in operations:
        counts[operation.status(served) or Status.PLANNED] += 1
    return counts


def _line(operation: Operation, served: frozenset[Key], table: Table) -> str:
    status = operation.status(served)
    about = {Status.OFF: table.off, Status.PLANNED: table.planned}.get(status or Status.PLANNED, {}).get(operation.about, "")
    return f"| {status or '**missing**'} | `{operation.method} {operation.path}` | {about} |\n"
