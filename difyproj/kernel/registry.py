"""A table of plug-ins: one visible row per name, loaded on first use, frozen after construction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class UnknownEntry(LookupError):
    """Raised for a name that the table does not have; the text names the ones it has."""


class Registry(Generic[T]):
    """Maps a name to ``"package.module:attribute"``; ``get`` imports the row when it is first asked for."""

    def __init__(self, kind: str, rows: Mapping[str, str], *, aliases: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self._rows = dict(rows)
        self._aliases = dict(aliases or {})
        self._loaded: dict[str, T] = {}

    def resolve(self, name: str) -> str:
        """The table's own name for ``name`` or one of its aliases."""
        own = self._aliases.get(name, name)
        if own not in self._rows:
            raise UnknownEntry(f"Unknown {self.kind} {name!r}. Known: {', '.join(sorted(self._rows))}.")
        return own

    def get(self, name: str) -> T:
        own = self.resolve(name)
        if own not in self._loaded:
            module, _, attribute = self._rows[own].partition(":")
            loaded: Any = getattr(import_module(module), attribute)
            self._loaded[own] = loaded
        return self._loaded[own]

    def rows(self) -> Mapping[str, str]:
        """Name to import path, for tests that check where rows point."""
        return dict(self._rows)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._aliases.get(name, name) in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
