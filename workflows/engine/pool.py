"""The variable pool: what nodes read and write, addressed by selectors such as ``["llm", "text"]`` or ``["sys", "query"]``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from .kinds import kind_of
from .values import file_part, is_file

MISSING: Final = object()
INPUTS: Final = "inputs"


class VariablePool:
    """Values by scope (a node id, ``sys``, ``env``, ``conversation``) and name.

    Outputs of nodes are set; variables that outlive a node (of a conversation, of a loop) are assigned: whoever keeps
    them takes what was assigned after the node that did it, and stores it with that node's end.
    """

    def __init__(self, scopes: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._scopes: dict[str, dict[str, Any]] = {name: dict(values) for name, values in (scopes or {}).items()}
        self._kinds: dict[tuple[str, str], str] = {}
        self._assigned: dict[tuple[str, str], Any] = {}

    def set(self, scope: str, name: str, value: Any) -> None:
        self._scopes.setdefault(scope, {})[name] = value

    def add(self, scope: str, values: Mapping[str, Any]) -> None:
        self._scopes.setdefault(scope, {}).update(values)

    def get(self, selector: Sequence[str], default: Any = None) -> Any:
        """The value at ``[scope, name, *path]``; a missing step gives ``default``. Paths enter objects and files."""
        if len(selector) < 2:
            return default
        value: Any = self._scopes.get(selector[0], {})
        for step in selector[1:]:
            if is_file(value):
                value = file_part(value, step, MISSING)
            else:
                value = value.get(step, MISSING) if isinstance(value, Mapping) else MISSING
            if value is MISSING:
                return default
        return value

    def declare(self, scope: str, name: str, kind: str) -> None:
        """Fix the type of a variable that nodes may assign to, such as a conversation's."""
        self._kinds[scope, name] = kind

    def kind(self, scope: str, name: str) -> str:
        """The declared type, or else that of the present value; ``any`` where there is neither."""
        declared = self._kinds.get((scope, name))
        if declared is not None:
            return declared
        found = kind_of(self._scopes.get(scope, {}).get(name))
        return "any" if found == "none" else found

    @property
    def secrets(self) -> frozenset[str]:
        """The texts of variables that are declared secret: no trace may show them."""
        names = (name for name, kind in self._kinds.items() if kind == "secret")
        return frozenset(str(value) for name in names if (value := self.get(name)))

    def assign(self, scope: str, name: str, value: Any) -> None:
        """Set a variable and note that it was assigned."""
        self.set(scope, name, value)
        self._assigned[scope, name] = value

    def take_assigned(self) -> dict[tuple[str, str], Any]:
        """What was assigned since this was last asked, by scope and name."""
        taken, self._assigned = self._assigned, {}
        return taken

    def scope(self, name: str) -> Mapping[str, Any]:
        return self._scopes.get(name, {})

    def forget(self, scopes: Iterable[str]) -> None:
        """Remove whole scopes."""
        for name in scopes:
            self._scopes.pop(name, None)

    def copied(self, *shared: str) -> VariablePool:
        """A pool of its own that begins with the same values; what is assigned in the ``shared`` scopes both have.

        Values are not copied: nobody changes one in place, variables are given new ones.
        """
        made = VariablePool()
        made._scopes = {name: values if name in shared else dict(values) for name, values in self._scopes.items()}
        for name in shared:
            made._scopes[name] = self._scopes.setdefault(name, {})
        made._kinds = self._kinds
        return made
