"""Checks what a user sent against the input form, with the rules that clients of Dify know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from difyproj.kernel.errors import InvalidParam
from workflows.engine import json_schema

from .form import InputField
from .schema import AppConfig

_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off", ""})
_METHODS: Final = frozenset({"remote_url", "local_file"})
_OTHER_SOURCES: Final = ("related_id", "id", "remote_url")


def check_inputs(config: AppConfig, inputs: Any) -> dict[str, Any]:
    """The form's values: defaults filled in, unknown keys dropped, NUL characters taken out.

    Raises InvalidParam with ``params`` naming the variable.
    """
    if not isinstance(inputs, Mapping):
        raise InvalidParam("inputs must be an object.", params="inputs")
    return {field.variable: _clean(check_field(field, inputs.get(field.variable))) for field in config.user_input_form}


def check_field(field: InputField, value: Any) -> Any:
    """One value by the rules of its control; None when it is optional and absent."""
    if value is None:
        if field.required:
            raise _wrong(field, "is required in the input form")
        value = field.default
    if value is None:
        return None
    return _CHECKS[field.control](field, value)


def _wrong(field: InputField, what: str) -> InvalidParam:
    return InvalidParam(f"{field.variable} {what}.", params=field.variable)


def _text(field: InputField, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(field, "must be a string in the input form")
    if field.max_length and len(value) > field.max_length:
        raise _wrong(field, f"must be at most {field.max_length} characters in the input form")
    return value


def _select(field: InputField, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(field, "must be a string in the input form")
    if value not in field.options and (value or field.required):
        raise _wrong(field, f"must be one of these in the input form: {', '.join(field.options)}")
    return value


def _number(field: InputField, value: Any) -> int | float | None:
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        if not value.strip():
            return None
        for kind in (int, float):
            try:
                found = kind(value)
            except ValueError:
                continue
            if found - found == 0:
                return found
    raise _wrong(field, "must be a number in the input form")


def _checkbox(field: InputField, value: Any) -> bool:
    if isinstance(value, bool | int | float):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in _TRUE | _FALSE:
        raise _wrong(field, "must be true or false in the input form")
    return word in _TRUE


def _file(field: InputField, value: Any) -> Mapping[str, Any] | None:
    if not value and not field.required:
        return None
    reason = _file_fault(value, field.allowed_file_types, field.allowed_file_upload_methods)
    if reason:
        raise _wrong(field, f"{reason} in the input form")
    return cast(Mapping[str, Any], value)


def _file_fault(value: Any, types: Sequence[str], methods: Sequence[str]) -> str:
    """What is wrong with a file object; empty when nothing is. Empty ``types`` or ``methods`` allow all."""
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        return "must be a file object with type and transfer_method"
    if value.get("transfer_method") not in (methods or _METHODS) and value.get("transfer_method") != "tool_file":
        return f"must have a transfer_method of these: {', '.join(methods or sorted(_METHODS))}"
    source = "url" if value["transfer_method"] == "remote_url" else "upload_file_id"
    if not any(isinstance(value.get(name), str) and value[name] for name in (source, *_OTHER_SOURCES)):
        return f"must be a file object with {source}"
    if types and value["type"] not in types:
        return f"must be a file of these types: {', '.join(types)}"
    return ""


def _file_list(field: InputField, value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _wrong(field, "must be a list of files in the input form")
    if field.max_length and len(value) > field.max_length:
        raise _wrong(field, f"must hold at most {field.max_length} files in the input form")
    found = (_file(field, item) for item in value)
    return [item for item in found if item is not None]


def _json_object(field: InputField, value: Any) -> Mapping[str, Any]:
    parsed = value
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError as error:
            raise _wrong(field, "must be a JSON object in the input form") from error
    if not isinstance(parsed, Mapping):
        raise _wrong(field, "must be a JSON object in the input form")
    if field.json_schema and (reason := json_schema.fault(field.json_schema, parsed)):
        raise _wrong(field, f"does not fit its JSON schema: {reason}")
    return parsed


_CHECKS: Final[Mapping[str, Callable[[InputField, Any], Any]]] = {
    "text-input": _text,
    "paragraph": _text,
    "select": _select,
    "number": _number,
    "checkbox": _checkbox,
    "file": _file,
    "file-list": _file_list,
    "json_object": _json_object,
    "external_data_tool": lambda field, value: value,
}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, Mapping):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value
