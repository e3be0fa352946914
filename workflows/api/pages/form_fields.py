"""The fields of a form as HTML controls, and what a browser sends of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

PREFIX: Final = "field."
FILES: Final = frozenset({"file", "file-list"})
KINDS: Final = frozenset({"text-input", "paragraph", "select", "number", "checkbox"})

Definition = Mapping[str, Any]


def names(definition: Definition) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for field in definition.get("inputs") or ():
        yield str(field.get("output_variable_name")), field


def needs_files(definition: Definition) -> bool:
    """A form that cannot be filled on a page yet."""
    return any(field.get("type") in FILES for _, field in names(definition))


def sent(definition: Definition, body: Mapping[str, str]) -> dict[str, Any]:
    """The values as the form takes them. What the browser did not send is missing here, too."""
    values: dict[str, Any] = {}
    for name, field in names(definition):
        kind, text = field.get("type"), body.get(PREFIX + name)
        if kind == "checkbox":
            values[name] = text is not None
        elif text is not None:
            values[name] = _number(text) if kind == "number" else text.replace("\r\n", "\n")
    return values


def controls(definition: Definition, typed: Mapping[str, Any], errors: Mapping[str, str]) -> dict[str, SafeString]:
    """The fields' HTML by name, with what was typed before or else their defaults."""
    values = {**(definition.get("defaults") or {}), **typed}
    return {
        name: SafeString(render_to_string("form/field.html", _control(name, field, values.get(name), errors.get(name, ""))))
        for name, field in names(definition)
        if field.get("type") not in FILES
    }


def _control(name: str, field: Mapping[str, Any], value: Any, error: str) -> dict[str, Any]:
    options = _options(field)
    kind = str(field.get("type"))
    if kind not in KINDS or (kind == "select" and not options):
        kind = "text-input"
    text = "" if value is None else str(value)
    most = field.get("max_length")
    return {
        "kind": kind,
        "name": PREFIX + name,
        "label": str(field.get("label") or name.replace("_", " ")),
        "value": text,
        "checked": value is True or text.lower() == "true",
        "options": options,
        "chosen": text in options,
        "max_length": most if isinstance(most, int) and not isinstance(most, bool) and most > 0 else None,
        "error": error,
    }


def _options(field: Mapping[str, Any]) -> list[str]:
    source = field.get("option_source")
    options = source.get("value") if isinstance(source, Mapping) else field.get("options")
    return [str(option) for option in options] if isinstance(options, Sequence) and not isinstance(options, str) else []


def _number(text: str) -> Any:
    """What is no number stays a text, which the form refuses."""
    for made in (int, float):
        with suppress(ValueError):
            return made(text)
    return text
