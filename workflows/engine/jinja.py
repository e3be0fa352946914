"""Jinja2 templates of graphs, each rendered by a confined process (``jinja_process``)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from difyproj.kernel.errors import InvalidParam

LIMIT: Final = 400_000
SECONDS: Final = 10
_SCRIPT: Final = Path(__file__).with_name("jinja_process.py")


async def render(source: str, values: Mapping[str, Any], *, field: str, limit: int = LIMIT) -> str:
    """The text of the template ``source`` filled with ``values``.

    Raises InvalidParam, with ``field`` as its ``params``, for a template that is wrong, endless or too large.
    """
    if not any(mark in source for mark in ("{{", "{%", "{#")):
        return _plain(source, limit, field)
    try:
        asked = json.dumps({"source": source, "values": values, "limit": limit}, default=str).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidParam("The template's variables cannot be given to it.", params=field) from error
    told = await _ask(asked, field)
    if "error" in told:
        raise InvalidParam(f"The template could not be rendered. {told['error']}", params=field)
    return told["text"]


def _plain(source: str, limit: int, field: str) -> str:
    """A template without a tag: its line ends become those of Jinja2, which drops the last one."""
    text = source.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    if len(text) > limit:
        raise InvalidParam(f"The template could not be rendered. The text is longer than {limit} characters.", params=field)
    return text


async def _ask(asked: bytes, field: str) -> dict[str, str]:
    found = find_spec("minijinja")
    folder = Path(found.origin).parent.parent if found and found.origin else Path()
    # It sees no variable of ours: secrets stand there.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_SCRIPT), str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    try:
        answer, _ = await asyncio.wait_for(process.communicate(asked), SECONDS)
    except TimeoutError as error:
        raise InvalidParam("The template took too long.", params=field) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        told: dict[str, str] = json.loads(answer)
    except ValueError as error:
        raise InvalidParam("The template needs too much memory or time.", params=field) from error
    return told
