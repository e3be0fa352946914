"""Environment variables of a workflow: plain ones stand in the row, secrets are sealed, shown masked, opened for runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from difyproj.kernel import secrets
from workflows.models import Workflow

from . import sealing
from .definitions import ENVIRONMENT, SECRET, checked

UNCHANGED: Final = "[__HIDDEN__]"

Variables = list[dict[str, Any]]


def shown(row: Workflow) -> Variables:
    """For people: the values of secrets are masked."""
    return [
        {**variable, "value": secrets.mask(value)} if variable["value_type"] == SECRET and value else variable
        for variable, value in _with_values(row)
    ]


def opened(row: Workflow) -> Variables:
    """Everything, secrets in the clear. For exports that were asked to hold them, and for copies; never for an answer."""
    return [{**variable, "value": value} for variable, value in _with_values(row)]


def values(row: Workflow) -> dict[str, Any]:
    """By name, for a run."""
    return {variable["name"]: value for variable, value in _with_values(row)}


def merged(row: Workflow, raw: Any, *, app_id: UUID) -> Variables:
    """``raw`` as checked variables; a secret that is ``UNCHANGED`` or its own mask keeps what the row holds."""
    given, kept = checked(raw, field=ENVIRONMENT, app_id=app_id), _secrets(row)
    for variable in given:
        before = kept.get(variable["id"])
        if variable["value_type"] == SECRET and before and variable["value"] in (UNCHANGED, secrets.mask(before)):
            variable["value"] = before
    return given


def put(row: Workflow, variables: Sequence[Mapping[str, Any]]) -> None:
    """Into the row, secrets sealed. In a transaction, when there are any; the caller saves."""
    hidden = {item["id"]: item["value"] for item in variables if item["value_type"] == SECRET and item["value"]}
    row.environment_variables = [{**item, "value": ""} if item["value_type"] == SECRET else dict(item) for item in variables]
    row.sealed = sealing.seal(row, hidden, key=sealing.key_of(row.tenant_id)) if hidden else b""


def _secrets(row: Workflow) -> dict[str, str]:
    return dict(sealing.unseal(row) or {})


def _with_values(row: Workflow) -> list[tuple[dict[str, Any], Any]]:
    hidden = _secrets(row)
    return [
        (variable, hidden.get(variable["id"], "") if variable["value_type"] == SECRET else variable["value"])
        for variable in row.environment_variables
    ]
