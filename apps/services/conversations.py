"""Conversations of an end user: found, listed, renamed, deleted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.models import Conversation, EndUser
from difyproj.infra.paging import Window, window_of
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.kernel.principal import ActorKind, Principal

from . import pins

DEFAULT_NAME = "New conversation"
MAX_NAME_LENGTH = 255
SORTS = ("created_at", "-created_at", "updated_at", "-updated_at")


class ConversationNotFound(NotFound):
    default_message = "Conversation Not Exists."


def get(end_user: EndUser, conversation_id: UUID | str) -> Conversation:
    """The end user's own conversation. Raises ConversationNotFound."""
    key = ids.parse(conversation_id)
    found = _own(end_user).filter(pk=key).first() if key else None
    if found is None:
        raise ConversationNotFound
    return found


def of_asker(principal: Principal, conversation_id: UUID | str) -> Conversation:
    """The conversation that the principal, an end user or an account, began in its app. Raises ConversationNotFound."""
    key = ids.parse(conversation_id)
    asker = "account_id" if principal.actor_kind is ActorKind.ACCOUNT else "end_user_id"
    rows = Conversation.objects.visible_to(principal).filter(tier=principal.tier, is_deleted=False)
    found = rows.filter(pk=key, **{asker: principal.actor_id}).first() if key else None
    if found is None:
        raise ConversationNotFound
    return found


def window(end_user: EndUser, *, last_id: str | None, limit: int, sort_by: str, pinned: bool | None = None) -> Window:
    """The ``limit`` conversations after ``last_id`` in the order ``sort_by``; with ``pinned`` only those, or only the others.

    Raises NotFound for an unknown cursor.
    """
    column, descending = sort_by.lstrip("-"), sort_by.startswith("-")
    rows = _own(end_user)
    if pinned is not None:
        rows = pins.only(rows, end_user, pinned=pinned)
    if last_id:
        last = get(end_user, last_id)
        rows = rows.filter(_after(column, descending, last))
    sign = "-" if descending else ""
    return window_of(rows.order_by(f"{sign}{column}", f"{sign}id"), limit=limit)


def rename(conversation: Conversation, *, name: str) -> Conversation:
    title = name.replace("\0", "").strip()
    if not title:
        raise InvalidParam("name is required when auto_generate is false.", params="name")
    if len(title) > MAX_NAME_LENGTH:
        raise InvalidParam(f"name must be at most {MAX_NAME_LENGTH} characters.", params="name")
    conversation.name = title
    conversation.updated_at = clock.now()
    conversation.save(update_fields=["name", "updated_at"])
    return conversation


def name_once(conversation: Conversation, *, name: str) -> None:
    """Name a conversation that has no name yet; that is no use of it, so its place in the lists stays."""
    title = name.replace("\0", "").strip()[:MAX_NAME_LENGTH]
    Conversation.objects.filter(pk=conversation.pk, name="").update(name=title)


def delete(conversation: Conversation) -> None:
    """The end user sees it no more; the operator's records stay."""
    conversation.is_deleted = True
    conversation.updated_at = clock.now()
    conversation.save(update_fields=["is_deleted", "updated_at"])


def _own(end_user: EndUser) -> Any:
    app_id: Any = end_user.app_id
    return Conversation.objects.filter(app_id=app_id, end_user=end_user, is_deleted=False)


def _after(column: str, descending: bool, last: Conversation) -> Q:
    side = "lt" if descending else "gt"
    value = getattr(last, column)
    return Q(**{f"{column}__{side}": value}) | Q(**{column: value, f"id__{side}": last.pk})
