"""Jinja2 templates of graphs, rendered by the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from difyproj.kernel.errors import InvalidParam

from .ports import SandboxPort

LIMIT: Final = 400_000


async def render(sandbox: SandboxPort, source: str, values: Mapping[str, Any], *, field: str, limit: int = LIMIT) -> str:
    """The text of the template ``source`` filled with ``values``.

    Raises InvalidParam, with ``field`` as its ``params``, for a template that is wrong, endless or too large.
    """
    if not any(mark in source for mark in ("{{", "{%", "{#")):
        return _plain(source, limit, field)
    try:
        return await sandbox.render(source, values, limit=limit)
    except InvalidParam as error:
        raise InvalidParam(error.message, params=field) from error


def _plain(source: str, limit: int, field: str) -> str:
    """A template without a tag: its line ends become those of Jinja2, which drops the last one."""
    text = source.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    if len(text) > limit:
        raise InvalidParam(f"The template could not be rendered. The text is longer than {limit} characters.", params=field)
    return text
