"""The URL table as tests walk through it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Route:
    """One path of the table with the methods it serves; ``path`` has ``{names}`` for its parameters.

    ``view`` is the viewset's class and ``actions`` its action by method, where there is one.
    """

    path: str
    methods: tuple[str, ...]
    view: Any = None
    actions: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)


def routes(prefix: str) -> list[Route]:
    """Every route of the project below ``prefix`` ("v1/")."""
    return [route for route in _walk(get_resolver().url_patterns, "") if route.path.startswith(f"/{prefix}")]


def _walk(patterns: list[Any], above: str) -> Iterator[Route]:
    for pattern in patterns:
        path = above + PARAMETER.sub(r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            view: Any = pattern.callback
            yield Route(f"/{path}", _methods(view), getattr(view, "cls", None), getattr(view, "actions", None) or {})


def _methods(view: Any) -> tuple[str, ...]:
    actions = getattr(view, "actions", None)
    if actions is not None:
        return tuple(method for method in METHODS if method in actions)
    return tuple(method for method in METHODS if hasattr(getattr(view, "view_class", view), method))
