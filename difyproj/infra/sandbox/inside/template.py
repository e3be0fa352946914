"""Renders Jinja2 templates: fuel bounds their time, and the process their memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import minijinja

from . import confinement
from .frames import Refused, limits, serve

FUEL: Final = 2_000_000


def main() -> None:
    given = limits()
    # What it imports with its first error it has then.
    with suppress(minijinja.TemplateError):
        render("{{", {})
    confinement.enclose(memory=given["memory"])
    serve(lambda asked: answer(asked, given["seconds"]), most_memory=given["memory"] // 4)


def answer(asked: dict[str, Any], seconds: float) -> str:
    """The text. Raises Refused for a template that is wrong, endless or too long."""
    confinement.limit_time(seconds)
    most = asked["limit"]
    try:
        text = render(asked["source"], asked["values"])
    except minijinja.TemplateError as error:
        reason = str(error).partition(" (in template:")[0]
        raise Refused("TemplateError", f"Line {error.line}: {reason}." if error.line else f"{reason}.") from error
    if len(text) > most:
        raise Refused("TemplateError", f"The text is longer than {most} characters.")
    return text


def render(source: str, values: dict[str, Any]) -> str:
    """As Jinja2 would. Raises minijinja's TemplateError."""
    environment = minijinja.Environment(fuel=FUEL, debug=False)
    # It would print all that the template was given.
    environment.remove_global("debug")
    return environment.render_str(source.replace("\r\n", "\n").replace("\r", "\n"), "template", **values)
