"""What a check of a file has to say: one finding per place and reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .needs import Kind, Need


class Level(StrEnum):
    """An error is wrong wherever the file goes; what is missing is missing here; what is mapped has another name here."""

    ERROR = "error"
    MISSING = "missing"
    WARNING = "warning"
    MAPPED = "mapped"


@dataclass(frozen=True, slots=True)
class Finding:
    """``place`` is a node's id or a section, ``title`` what people call it, ``field`` the path inside of it, ``kind`` what is
    needed (``model``, ``tool`` ...) or empty for the file's own faults."""

    level: Level
    place: str
    message: str
    title: str = ""
    field: str = ""
    kind: str = ""
    name: str = ""


def about(need: Need, level: Level, message: str) -> Finding:
    name = f"{need.name}/{need.part}" if need.part and need.kind != Kind.STRATEGY else need.name
    return Finding(level, need.place, message, need.title, "", str(need.kind), name)
