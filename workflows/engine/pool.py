"""The variable pool: what nodes read and write, addressed by selectors such as ``["llm", "text"]`` or ``["sys", "query"]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

MISSING: Final = object()
INPUTS: Final = "inputs"


class VariablePool:
    """Values by scope (a node id, ``sys``, ``env``, ``conversation``) and name."""

    def __init__(self, scopes: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._scopes: dict[str, dict[str, Any]] = {name: dict(values) for name, values in (scopes or {}).items()}

    def set(self, scope: str, name: str, value: Any) -> None:
        self._scopes.setdefault(scope, {})[name] = value

    def add(self, scope: str, values: Mapping[str, Any]) -> None:
        self._scopes.setdefault(scope, {}).update(values)

    def get(self, selector: Sequence[str], default: Any = None) -> Any:
        """The value at ``[scope, name, *path]``; a missing step gives ``default``."""
        if len(selector) < 2:
            return default
        value: Any = self._scopes.get(selector[0], {})
        for step in selector[1:]:
            if not isinstance(value, Mapping) or step not in value:
                return default
            value = value[step]
        return value

    def scope(self, name: str) -> Mapping[str, Any]:
        return self._scopes.get(name, {})
