"""Whether a value follows a JSON Schema, as apps state them: draft 7, nothing fetched, patterns that cannot run away."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidParam

if TYPE_CHECKING:
    import jsonschema_rs

_BACKTRACKS = 100_000
_SHOWN = 300


def check(schema: Mapping[str, Any]) -> None:
    """Raises InvalidParam when ``schema`` is no JSON Schema."""
    _compiled(schema)


def fault(schema: Mapping[str, Any], value: Any) -> str | None:
    """The first thing about ``value`` that ``schema`` forbids, in words. Raises InvalidParam when the schema is none."""
    try:
        error = next(iter(_compiled(schema).iter_errors(value)), None)
    except (ValueError, TypeError, RecursionError) as problem:
        return str(problem)[:_SHOWN]
    if error is None:
        return None
    path = ".".join(str(step) for step in error.instance_path)
    return f"{path}: {error.message[:_SHOWN]}" if path else error.message[:_SHOWN]


@cache
def _library() -> Any:
    """Loaded with the first schema: 6 MB that most processes never need."""
    return import_module("jsonschema_rs")


def _compiled(schema: Mapping[str, Any]) -> jsonschema_rs.Draft7Validator:
    faults = (_library().ValidationError, _library().ReferencingError, ValueError, TypeError, RecursionError)
    try:
        return _validator(jsonio.dumps_text(schema))
    except faults as problem:
        reason = getattr(problem, "message", "") or str(problem)
        raise InvalidParam(f"The JSON Schema is not valid: {reason[:_SHOWN]}") from None


@lru_cache(maxsize=256)
def _validator(text: str) -> jsonschema_rs.Draft7Validator:
    patterns = _library().FancyRegexOptions(backtrack_limit=_BACKTRACKS)
    made: jsonschema_rs.Draft7Validator = _library().Draft7Validator(jsonio.loads(text), offline=True, pattern_options=patterns)
    return made
