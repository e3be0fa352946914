"""What people submit to a form, checked against its fields and actions, and what it looks like when it is filled."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidFormData

LONGEST_TEXT: Final = 100_000
MOST_FILES: Final = 50
METHODS: Final = frozenset({"local_file", "remote_url", "tool_file"})
_PLACE: Final = re.compile(r"\{\{#\$output\.([a-zA-Z_][a-zA-Z0-9_]*)#\}\}")

Field = Mapping[str, Any]


def checked(definition: Mapping[str, Any], *, action: Any, inputs: Any) -> tuple[str, dict[str, Any]]:
    """(the chosen action's id, the fields' values by name). Values of no field are left out. Raises InvalidFormData."""
    known = [str(item.get("id")) for item in definition.get("actions") or ()]
    if not isinstance(action, str) or (action not in known if known else action):
        raise InvalidFormData(f"The action must be one of: {', '.join(known) or 'none'}.", params="action")
    if not isinstance(inputs, Mapping):
        raise InvalidFormData("inputs must be an object.", params="inputs")
    values = {}
    for field in definition.get("inputs") or ():
        name = str(field.get("output_variable_name"))
        if name not in inputs:
            raise InvalidFormData(f"{name} is missing.", params=f"inputs.{name}")
        check = CHECKS.get(str(field.get("type")), _text)
        reason = check(field, inputs[name])
        if reason:
            raise InvalidFormData(f"{name} {reason}.", params=f"inputs.{name}")
        values[name] = jsonio.storable(inputs[name])
    return action, values


def rendered(definition: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The form's text with each field's place filled by its value."""
    return _PLACE.sub(lambda place: _shown(values.get(place[1])), str(definition.get("content") or ""))


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        return "must be a text"
    most = field.get("max_length")
    longest = most if isinstance(most, int) and most > 0 else LONGEST_TEXT
    return f"must be at most {longest} characters" if len(value) > longest else ""


def _choice(field: Field, value: Any) -> str:
    """Options that the form did not resolve are anything."""
    source = field.get("option_source")
    options = source.get("value") if isinstance(source, Mapping) else field.get("options")
    if not isinstance(value, str):
        return "must be a text"
    return "is none of the options" if isinstance(options, Sequence) and options and value not in options else ""


def _number(field: Field, value: Any) -> str:
    return "" if isinstance(value, int | float) and not isinstance(value, bool) else "must be a number"


def _checkbox(field: Field, value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _file(field: Field, value: Any) -> str:
    """Its shape. Whose the file is, is for the caller to find out."""
    if not isinstance(value, Mapping) or value.get("transfer_method") not in METHODS:
        return "must be a file"
    allowed = field.get("allowed_file_upload_methods")
    if isinstance(allowed, Sequence) and allowed and value["transfer_method"] not in allowed:
        return "came by a way that is not allowed"
    types = field.get("allowed_file_types")
    if isinstance(types, Sequence) and types and "custom" not in types and value.get("type") not in types:
        return "is of a type that is not allowed"
    return ""


def _files(field: Field, value: Any) -> str:
    if not isinstance(value, list):
        return "must be a list of files"
    limit = field.get("number_limits")
    most = limit if isinstance(limit, int) and limit > 0 else MOST_FILES
    if len(value) > most:
        return f"takes at most {most} files"
    return next((reason for item in value if (reason := _file(field, item))), "")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("filename") or value.get("name") or value.get("url") or "")
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return "" if value is None else str(value)


CHECKS: Final[Mapping[str, Callable[[Field, Any], str]]] = {
    "select": _choice,
    "number": _number,
    "checkbox": _checkbox,
    "file": _file,
    "file-list": _files,
}
