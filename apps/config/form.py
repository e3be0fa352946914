"""The input form: one field per variable that the user fills in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from difyproj.kernel import jsonio

from .sections import Section

Control = Literal[
    "text-input", "paragraph", "select", "number", "checkbox", "file", "file-list", "json_object", "external_data_tool"
]
CONTROLS: Final = (
    "text-input",
    "paragraph",
    "select",
    "number",
    "checkbox",
    "file",
    "file-list",
    "json_object",
    "external_data_tool",
)


def _none_if_blank(value: Any) -> Any:
    return None if value == "" else value


def _schema(value: Any) -> Any:
    """A JSON Schema may stand as text."""
    return jsonio.loads(value) if isinstance(value, str) and value.strip() else value or None


class InputField(Section):
    """One field. ``default`` fills an absent value; ``max_length`` counts characters (files for file-list)."""

    control: Control = "text-input"
    variable: str = Field(min_length=1, max_length=100)
    label: str = ""
    required: bool = False
    default: Any = None
    max_length: Annotated[int | None, BeforeValidator(_none_if_blank)] = None
    options: tuple[str, ...] = ()
    hide: bool = False
    description: str = ""
    allowed_file_types: tuple[str, ...] = ()
    allowed_file_extensions: tuple[str, ...] = ()
    allowed_file_upload_methods: tuple[str, ...] = ()
    json_schema: Annotated[dict[str, Any] | None, BeforeValidator(_schema)] = None


def unwrap(value: Any) -> Any:
    """``{"text-input": {...}}`` as a field with its control; a flat field with ``type`` is taken as well."""
    if isinstance(value, InputField) or not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        control, fields = next(iter(value.items()))
        if control not in CONTROLS:
            raise ValueError(f"unknown control {control!r}; known: {', '.join(CONTROLS)}")
        if not isinstance(fields, Mapping):
            raise ValueError(f"{control} must be an object")
        return {**fields, "control": control}
    if value.get("type") in CONTROLS and "variable" in value:
        return {**{name: item for name, item in value.items() if name != "type"}, "control": value["type"]}
    raise ValueError("a field must be an object with its control as the only key")


def wrap(field: InputField) -> dict[str, Any]:
    """The field as it is stored and shown: under its control, only what was set."""
    return {field.control: field.model_dump(mode="json", exclude_unset=True, exclude={"control"})}


FormField = Annotated[InputField, BeforeValidator(unwrap), PlainSerializer(wrap)]
