"""Answers that a visitor keeps."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from apps.models import EndUser, Message, SavedMessage
from difyproj.kernel import ids

from .conversations import Window
from .messages import MessageNotFound, files_of


def save(message: Message, end_user: EndUser) -> None:
    """Twice is once."""
    SavedMessage.objects.get_or_create(message=message, end_user=end_user, defaults={"app_id": message.app_id})


def forget(message_id: str, end_user: EndUser) -> None:
    """What is not saved, or not the visitor's, is left alone."""
    key = ids.parse(message_id)
    if key is not None:
        SavedMessage.objects.filter(message_id=key, end_user=end_user).delete()


def window(end_user: EndUser, *, last_id: str | None, limit: int) -> Window:
    """The ``limit`` messages saved before the message ``last_id`` was, newest first. Raises MessageNotFound."""
    rows: QuerySet[SavedMessage] = SavedMessage.objects.filter(end_user=end_user, message__conversation__is_deleted=False)
    if last_id:
        key = ids.parse(last_id)
        last = rows.filter(message_id=key).first() if key else None
        if last is None:
            raise MessageNotFound
        rows = rows.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, id__lt=last.pk))
    rows = rows.select_related("message").prefetch_related(files_of("message__"), "message__feedbacks")
    found = [row.message for row in rows.order_by("-created_at", "-id")[: limit + 1]]
    return Window(found[:limit], limit, len(found) > limit)
