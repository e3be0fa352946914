"""Parameters of tools and agents as graphs state them: a text with references, a selector, or the value itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from . import template
from .pool import MISSING, VariablePool
from .values import is_list, to_text

MIXED: Final = "mixed"
VARIABLE: Final = "variable"
CONSTANT: Final = "constant"
_KINDS: Final = frozenset({MIXED, VARIABLE, CONSTANT})


def is_typed(stated: Any) -> bool:
    """True for ``{type, value}``; files of old versions hold bare values."""
    return isinstance(stated, Mapping) and stated.get("type") in _KINDS


def resolve(stated: Any, pool: VariablePool) -> Any:
    """The value of a typed or bare parameter; MISSING for a selector of nothing. Texts are templates, of constants too."""
    kind, value = (stated["type"], stated.get("value")) if is_typed(stated) else (CONSTANT, stated)
    if kind == VARIABLE and is_list(value):
        return pool.get([str(step) for step in value], MISSING) if value else None
    if kind == MIXED and value is not None and not isinstance(value, str):
        value = to_text(value)
    return template.parse(value).render(pool) if isinstance(value, str) else value


def dotted(stated: Any) -> str:
    """The selector of a variable parameter, for people."""
    return ".".join(map(str, stated.get("value") or ())) if is_typed(stated) else ""
