"""Variables of a draft, changed by its author: what a node run alone finds next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from apps.models import App
from difyproj.kernel import clock, ids, jsonio
from difyproj.kernel.errors import InvalidParam, NotFound
from workflows.models import DraftVariable

from .definitions import fitting
from .inspection import CONVERSATION, NODE, SYSTEM, Inspection, Variable

NAME: Final = re.compile(r"[A-Za-z_]\w{0,254}", re.ASCII)
FILES: Final = frozenset({"file", "array[file]"})


class DraftVariableNotFound(NotFound):
    default_message = "Variable not found."


def of_node(app: App, node_id: str) -> list[Variable]:
    """Raises InvalidParam for what is no node but has routes of its own."""
    _check_node(node_id)
    return Inspection(app).of_nodes([node_id])


def get(app: App, variable_id: UUID | str) -> Variable:
    """Raises DraftVariableNotFound."""
    key = str(ids.parse(variable_id))
    found = next((one for one in Inspection(app).everything() if one["id"] == key), None)
    if found is None:
        raise DraftVariableNotFound
    return found


@transaction.atomic
def change(app: App, variable_id: UUID | str, *, take: Callable[[Any], Any], name: str | None = None, **given: Any) -> Variable:
    """The variable with another ``value``, if one is given, of its type, or another ``name``, by which it has another id.

    ``take`` makes of files what is kept: it knows whose they are. Raises DraftVariableNotFound, InvalidParam, and what
    ``take`` raises.
    """
    found = get(app, variable_id)
    if not found["editable"]:
        raise InvalidParam(f"{'.'.join(found['selector'])} cannot be changed.", params="value")
    (scope, old), value = found["selector"], found["value"]
    if "value" in given:
        value = _checked(found, given["value"], take)
    renamed = name is not None and name != old
    if renamed:
        _check_name(app, found, str(name))
        _note(app, scope, old, is_removed=True)
    if renamed or "value" in given:
        _note(app, scope, str(name) if renamed else old, value=value)
    return next(one for one in Inspection(app).everything() if one["selector"] == [scope, name if renamed else old])


def delete(app: App, variable_id: UUID | str) -> None:
    """Gone until it is given a value again; what a draft declares has its default. Raises DraftVariableNotFound."""
    found = get(app, variable_id)
    _note(app, *found["selector"], is_removed=True)


@transaction.atomic
def reset(app: App, variable_id: UUID | str) -> Variable | None:
    """The variable as its last run left it, a conversation's with its default; None for one that only its author knew.

    Raises DraftVariableNotFound.
    """
    found = get(app, variable_id)
    scope, name = found["selector"]
    if found["type"] == CONVERSATION:
        _note(app, scope, name, is_removed=True)
    else:
        _rows(app).filter(scope=scope, name=name).delete()
    return next((one for one in Inspection(app).everything() if one["selector"] == [scope, name]), None)


@transaction.atomic
def clear(app: App, node_id: str = "") -> None:
    """Take away what a node holds, or everything. Raises DraftWorkflowNotExist, and InvalidParam as ``of_node`` does."""
    _check_node(node_id)
    Inspection(app)
    rows = _rows(app)
    (rows.filter(scope=node_id) if node_id else rows).delete()
    _note(app, node_id, "", is_removed=True)


def _rows(app: App) -> Any:
    return DraftVariable.objects.for_tenant(app.tenant_id).filter(app=app)


def _note(app: App, scope: str, name: str, *, value: Any = None, is_removed: bool = False) -> None:
    changed = {"value": value, "is_removed": is_removed, "changed_at": clock.now(), "tenant_id": app.tenant_id}
    DraftVariable.objects.update_or_create(app=app, scope=scope, name=name, defaults=changed)


def _checked(found: Variable, value: Any, take: Callable[[Any], Any]) -> Any:
    kind = found["value_type"]
    if kind in FILES:
        _check_files(value, kind)
        value = take(value)
    try:
        return fitting(jsonio.storable(value), kind)
    except ValueError as error:
        raise InvalidParam(f"Variable {found['name']!r}: {error}", params="value") from error


def _check_files(value: Any, kind: str) -> None:
    items = value if kind != "file" and isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in items):
        raise InvalidParam("A file is written as an object.", params="value")


def _check_name(app: App, found: Variable, name: str) -> None:
    if found["type"] != NODE:
        raise InvalidParam(f"{'.'.join(found['selector'])} cannot have another name.", params="name")
    if not NAME.fullmatch(name):
        raise InvalidParam("A name has letters, digits and underscores, and begins with no digit.", params="name")
    scope = found["selector"][0]
    if any(one["name"] == name for one in Inspection(app).of_nodes([scope])):
        raise InvalidParam(f"The node has a variable {name!r} already.", params="name")


def _check_node(node_id: str) -> None:
    if node_id in (SYSTEM, CONVERSATION, "env"):
        raise InvalidParam(f"{node_id} is no node.", params="node_id")
