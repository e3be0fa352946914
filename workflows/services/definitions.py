"""What a graph declares: environment and conversation variables, checked one by one, every other field of theirs kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from difyproj.kernel import ids, jsonio
from difyproj.kernel.errors import InvalidParam
from workflows.engine.kinds import fits, zero_of

from .graphs import cleaned

ENVIRONMENT, CONVERSATION = "environment_variables", "conversation_variables"
SECRET: Final = "secret"  # noqa: S105  the name of a type
ELEMENTS: Final = ("any", "string", "number", "object", "boolean", "file")
CONVERSATION_TYPES: Final = frozenset(
    {"string", "number", "integer", "float", "boolean", "object", "file", SECRET, *(f"array[{name}]" for name in ELEMENTS)}
)
ENVIRONMENT_TYPES: Final = CONVERSATION_TYPES - {"file", "array[file]"}
MOST: Final = 500
LONGEST_NAME: Final = 255
LARGEST_VALUE: Final = 200_000


def checked(raw: Any, *, field: str, app_id: UUID) -> list[dict[str, Any]]:
    """The variables of a draft as they are kept: each with an id, a name of its own, a type and a value that fits it.

    An id that is no UUID is replaced, always by the same one. Raises InvalidParam naming the variable.
    """
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes) or len(raw) > MOST:
        raise InvalidParam(f"{field} must be a list of at most {MOST} variables.", params=field)
    found: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(raw):
        variable = _checked(item, field, f"{field}.{index}")
        name = variable["name"]
        if name in found:
            raise InvalidParam(f"Two variables are named {name!r}.", params=f"{field}.{index}.name")
        taken = {other["id"] for other in found.values()}
        key = ids.parse(variable.get("id"))
        variable["id"] = str(uuid5(app_id, f"{field}:{name}") if key is None or str(key) in taken else key)
        found[name] = variable
    return list(found.values())


def typed(value: Any, kind: str) -> Any:
    """``value`` as a variable of type ``kind`` holds it: text is read where it writes such a value, nothing is the type's zero.

    Raises ValueError.
    """
    if value is None:
        return zero_of(kind)
    if isinstance(value, str) and kind not in ("string", SECRET):
        value = jsonio.loads(value) if value.strip() else zero_of(kind)
    return fitting(value, kind)


def fitting(value: Any, kind: str) -> Any:
    """``value``, which is of type ``kind`` as it stands. Raises ValueError."""
    if not fits(value, kind):
        raise ValueError(f"The value is not of type {kind}.")
    if len(jsonio.dumps(value)) > LARGEST_VALUE:
        raise ValueError(f"The value is larger than {LARGEST_VALUE} bytes.")
    return value


def _checked(item: Any, field: str, path: str) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise InvalidParam("A variable must be an object.", params=path)
    item = cleaned(item, path)
    name, kind = item.get("name"), item.get("value_type")
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        raise InvalidParam(f"A variable needs a name of at most {LONGEST_NAME} characters.", params=f"{path}.name")
    kinds = ENVIRONMENT_TYPES if field == ENVIRONMENT else CONVERSATION_TYPES
    if not isinstance(kind, str) or kind not in kinds:
        raise InvalidParam(f"Variable {name!r}: the type {kind!r} is not known.", params=f"{path}.value_type")
    try:
        value = typed(item.get("value"), kind)
    except ValueError as error:
        raise InvalidParam(f"Variable {name!r}: {error}", params=f"{path}.value") from error
    scope = "env" if field == ENVIRONMENT else "conversation"
    return {"selector": [scope, name], "description": "", **item, "name": name, "value_type": kind, "value": value}
