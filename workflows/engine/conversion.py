"""Values made to fit a declared type, where what was meant is plain: a model's ``"12"`` for a number is 12."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from difyproj.kernel import jsonio

from .kinds import element_of, fits, is_array, zero_of
from .pool import MISSING
from .values import is_list, to_text

_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def converted(value: Any, kind: str) -> Any:
    """``value`` as a ``kind``, or that type's zero when it cannot be read as one."""
    found = _read(value, kind)
    return zero_of(kind) if found is MISSING else found


def _read(value: Any, kind: str) -> Any:
    if value is None:
        return MISSING
    if is_array(kind):
        return _array(value, element_of(kind))
    if kind == "number":
        return _number(value)
    if kind == "boolean":
        return _truth(value)
    if kind == "string":
        return to_text(value)
    if kind == "object" and isinstance(value, str):
        value = _loaded(value)
    return value if fits(value, kind) else MISSING


def _array(value: Any, element: str) -> Any:
    """The list without what cannot be read; a text may hold the list as JSON."""
    items = _loaded(value) if isinstance(value, str) else value
    if not is_list(items):
        return MISSING
    return [read for item in items if (read := _read(item, element)) is not MISSING]


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        value = _loaded(value.strip())
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return MISSING
    return value


def _truth(value: Any) -> Any:
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().lower(), MISSING)
    return bool(value) if isinstance(value, bool | int | float) else MISSING


def _loaded(text: str) -> Any:
    try:
        return jsonio.loads(text)
    except ValueError:
        return None


def described(kind: str) -> Mapping[str, Any]:
    """The JSON Schema of a declared type."""
    return {"type": "array", "items": {"type": element_of(kind)}} if is_array(kind) else {"type": kind}
