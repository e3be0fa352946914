"""What a trace shows of a value: secrets in it are stars."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from .values import is_list

STARS: Final = "******"
_SHORTEST: Final = 4
"""Texts shorter than this are hidden only where they are the whole value: they stand in other words by chance."""


def masked(value: Any, hidden: Collection[str]) -> Any:
    """``value`` without the texts ``hidden``, at whatever depth."""
    return _masked(value, sorted(filter(None, hidden), key=len, reverse=True)) if hidden else value


def _masked(value: Any, hidden: list[str]) -> Any:
    if isinstance(value, str):
        return _text(value, hidden)
    if isinstance(value, Mapping):
        return {name: _masked(item, hidden) for name, item in value.items()}
    return [_masked(item, hidden) for item in value] if is_list(value) else value


def _text(text: str, hidden: list[str]) -> str:
    if text in hidden:
        return STARS
    for secret in hidden:
        if len(secret) >= _SHORTEST and secret in text:
            text = text.replace(secret, STARS)
    return text
