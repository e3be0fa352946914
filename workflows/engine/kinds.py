"""Types of values by their names in graphs: what a value is, whether it fits a declared type, and the type's zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .values import is_file, is_list

NUMBERS = frozenset({"number", "integer", "float"})
TEXTS = frozenset({"string", "secret"})


def kind_of(value: Any) -> str:
    """The name of ``value``'s own type. A list of one type is an array of it, any other list ``array[any]``."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if is_file(value):
        return "file"
    if is_list(value):
        kinds = {kind_of(item) for item in value}
        element = kinds.pop() if len(kinds) == 1 else "any"
        return f"array[{'any' if element == 'none' or is_array(element) else element}]"
    return "object" if isinstance(value, Mapping) else "any"


def is_array(kind: str) -> bool:
    return kind == "array" or kind.startswith("array[")


def element_of(kind: str) -> str:
    """What an array of ``kind`` holds: ``string`` for ``array[string]``."""
    return kind[6:-1] if kind.startswith("array[") and kind.endswith("]") else "any"


def fits(value: Any, kind: str) -> bool:
    """True when a variable of type ``kind`` may hold ``value``. A name that is no type accepts everything."""
    if is_array(kind):
        return is_list(value) and all(fits(item, element_of(kind)) for item in value)
    if kind in TEXTS:
        return isinstance(value, str)
    if kind in NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "file":
        return is_file(value)
    return (isinstance(value, Mapping) and not is_file(value)) if kind == "object" else True


def zero_of(kind: str) -> Any:
    """What a cleared variable of type ``kind`` holds."""
    if is_array(kind):
        return []
    if kind in TEXTS:
        return ""
    if kind in NUMBERS:
        return 0
    return {"boolean": False, "object": {}}.get(kind)
