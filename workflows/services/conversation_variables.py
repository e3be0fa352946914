"""Conversation variables: a conversation begins with its workflow's defaults, runs and callers change them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.models import App, Conversation
from difyproj.infra.paging import Page, Window, page_of, window_of
from difyproj.kernel import clock, ids, jsonio
from difyproj.kernel.errors import BadRequest, InvalidParam, NotFound
from workflows.models import ConversationVariable

from .definitions import fitting

Definitions = Iterable[Mapping[str, Any]]


class ConversationVariableNotFound(NotFound):
    default_message = "Conversation Variable Not Exists."


def values(conversation_id: UUID, definitions: Definitions) -> dict[str, Any]:
    """By name, for a run. What the workflow declares and the conversation has not yet begins with its default.

    One query; two where something is new.
    """
    found = {row.name: row.value for row in _rows(conversation_id)}
    missing = [item for item in definitions if item["name"] not in found]
    if missing:
        begin(conversation_id, missing)
    return {**found, **{item["name"]: item["value"] for item in missing}}


def begin(conversation_id: UUID, definitions: Definitions) -> None:
    """A row for each variable with its default, in the order in which they are declared; what is there already stays."""
    moment = clock.now()
    rows = [
        ConversationVariable(
            conversation_id=conversation_id,
            variable_id=UUID(str(item["id"])),
            name=item["name"],
            value_type=item["value_type"],
            value=item["value"],
            description=str(item.get("description") or ""),
            created_at=moment + timedelta(microseconds=index),
            updated_at=moment,
        )
        for index, item in enumerate(definitions)
    ]
    ConversationVariable.objects.bulk_create(rows, ignore_conflicts=True)


def store(conversation_id: UUID, assigned: Mapping[str, Any]) -> None:
    """What a run gave to variables of its conversation, by name; in the transaction of the node that did. One query for all.

    The rows are there: ``values`` made them when the run began.
    """
    common: dict[str, Any] = {"conversation_id": conversation_id, "updated_at": clock.now()}
    ConversationVariable.objects.bulk_create(
        [
            ConversationVariable(**common, variable_id=ids.new_id(), name=name, value=jsonio.storable(value))
            for name, value in assigned.items()
        ],
        update_conflicts=True,
        unique_fields=["conversation", "name"],
        update_fields=["value", "updated_at"],
    )


def window(conversation: Conversation, *, last_id: str | None, limit: int, variable_name: str | None = None) -> Window:
    """The ``limit`` variables after ``last_id``, as they were declared. Raises InvalidParam for an unknown cursor."""
    rows = _rows(conversation.pk)
    if variable_name:
        rows = rows.filter(name=variable_name)
    if last_id:
        last = _find(conversation.pk, last_id)
        if last is None:
            raise InvalidParam("last_id is not a variable of this conversation.", params="last_id")
        rows = rows.filter(Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, id__gt=last.pk))
    return window_of(rows, limit=limit)


def page(app: App, *, conversation_id: UUID | str, page: int, limit: int) -> Page[ConversationVariable]:
    """Any conversation's of the app, for its builders; empty for one that is none."""
    key = ids.parse(conversation_id)
    rows = ConversationVariable.objects.for_tenant(app.tenant_id).filter(conversation__app=app)
    return page_of(rows.filter(conversation_id=key) if key else rows.none(), page=page, limit=limit)


def update(conversation: Conversation, variable_id: UUID | str, *, value: Any) -> ConversationVariable:
    """Raises ConversationVariableNotFound, and BadRequest for a value of another type."""
    row = _find(conversation.pk, variable_id)
    if row is None:
        raise ConversationVariableNotFound
    try:
        row.value = fitting(jsonio.storable(value), row.value_type)
    except ValueError as error:
        raise BadRequest(f"Variable {row.name!r}: {error}") from error
    row.updated_at = clock.now()
    row.save(update_fields=["value", "updated_at"])
    return row


def _rows(conversation_id: UUID) -> Any:
    return ConversationVariable.objects.filter(conversation_id=conversation_id).order_by("created_at", "id")


def _find(conversation_id: UUID, variable_id: UUID | str) -> ConversationVariable | None:
    key = ids.parse(variable_id)
    found: ConversationVariable | None = _rows(conversation_id).filter(variable_id=key).first() if key else None
    return found
