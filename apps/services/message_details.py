"""Messages as builders read them: with their feedback, files, and the annotations behind and before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects

from accounts.models import Account
from apps.models import Annotation, AnnotationHit, App, Conversation, Message
from difyproj.kernel import ids

from . import messages
from .conversations import ConversationNotFound, Window


@dataclass(frozen=True, slots=True)
class Detailed:
    """A message with what was fetched for it. ``accounts`` are all whose names any of the messages needs, by id."""

    row: Message
    annotation: Annotation | None
    hit: AnnotationHit | None
    accounts: Mapping[UUID, Account]


def conversation(app: App, conversation_id: UUID | str) -> Conversation:
    """Any conversation of the app, debug runs included. Raises ConversationNotFound."""
    key = ids.parse(conversation_id)
    found = Conversation.objects.for_tenant(app.tenant_id).filter(app=app, pk=key).first() if key else None
    if found is None:
        raise ConversationNotFound
    return found


def window(app: App, conversation_id: UUID | str, *, first_id: str | None, limit: int) -> Window:
    """The ``limit`` newest messages of the conversation before ``first_id``, oldest first, in detail.

    Raises ConversationNotFound, and MessageNotFound for an unknown cursor.
    """
    found = messages.window(conversation(app, conversation_id), first_id=first_id, limit=limit)
    return replace(found, rows=of(found.rows))


def of(rows: Sequence[Message]) -> list[Detailed]:
    """The messages in detail: five queries at most, however many they are."""
    shown = list(rows)
    prefetch_related_objects(shown, messages.files_of(), "feedbacks")
    keys = [row.pk for row in shown]
    annotations = {row.message_id: row for row in Annotation.objects.filter(message_id__in=keys)}
    hits = {row.message_id: row for row in AnnotationHit.objects.filter(message_id__in=keys).select_related("annotation")}
    wanted: set[Any] = {given.account_id for row in shown for given in row.feedbacks.all()}
    wanted |= {row.account_id for row in annotations.values()} | {hit.annotation.account_id for hit in hits.values()}
    wanted.discard(None)
    accounts = Account.objects.only("id", "name", "email").in_bulk(list(wanted)) if wanted else {}
    return [Detailed(row, annotations.get(row.pk), hits.get(row.pk), accounts) for row in shown]
