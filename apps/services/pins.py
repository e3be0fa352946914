"""Conversations that a visitor pinned."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from apps.models import Conversation, EndUser, PinnedConversation
from difyproj.kernel import ids


def pin(conversation: Conversation, end_user: EndUser) -> None:
    """Twice is once."""
    PinnedConversation.objects.get_or_create(
        conversation=conversation, end_user=end_user, defaults={"app_id": conversation.app_id}
    )


def unpin(conversation_id: str, end_user: EndUser) -> None:
    """What is not pinned, or not the visitor's, is left alone."""
    key = ids.parse(conversation_id)
    if key is not None:
        PinnedConversation.objects.filter(conversation_id=key, end_user=end_user).delete()


def only(rows: QuerySet[Conversation], end_user: EndUser, *, pinned: bool) -> QuerySet[Conversation]:
    """Those that the visitor pinned, or the others."""
    pin = Exists(PinnedConversation.objects.filter(conversation_id=OuterRef("pk"), end_user=end_user))
    return rows.filter(pin) if pinned else rows.filter(~pin)
