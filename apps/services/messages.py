"""Messages: an end user's history, and feedback on single answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet

from apps.models import App, Conversation, EndUser, Feedback, Message, MessageFile
from difyproj.kernel import ids
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.kernel.principal import ActorKind, Principal
from workflows.models import HumanInputForm
from workflows.services import forms

from .conversations import Window

CHATFLOW: Final = "advanced-chat"
NOTHING_TO_REVOKE = "rating cannot be null when there is no feedback to revoke."


class MessageNotFound(NotFound):
    default_message = "Message Not Exists."


def get(end_user: EndUser, message_id: UUID | str) -> Message:
    """The end user's own message. Raises MessageNotFound."""
    key = ids.parse(message_id)
    rows = Message.objects.select_related("conversation").filter(end_user=end_user, conversation__is_deleted=False)
    found = rows.filter(pk=key).first() if key else None
    if found is None:
        raise MessageNotFound
    return found


def of_asker(principal: Principal, message_id: UUID | str) -> Message:
    """The message that the principal, an end user or an account, asked its app. Raises MessageNotFound."""
    key = ids.parse(message_id)
    asker = "account_id" if principal.actor_kind is ActorKind.ACCOUNT else "end_user_id"
    rows = Message.objects.visible_to(principal).select_related("conversation")
    rows = rows.filter(tier=principal.tier, conversation__is_deleted=False, **{asker: principal.actor_id})
    found = rows.filter(pk=key).first() if key else None
    if found is None:
        raise MessageNotFound
    return found


def window(conversation: Conversation, *, first_id: str | None, limit: int) -> Window:
    """The ``limit`` newest messages before ``first_id``, oldest first. Raises MessageNotFound for an unknown cursor."""
    rows: QuerySet[Message] = Message.objects.filter(conversation=conversation)
    if first_id:
        key = ids.parse(first_id)
        first = rows.filter(pk=key).first() if key else None
        if first is None:
            raise MessageNotFound
        rows = rows.filter(Q(created_at__lt=first.created_at) | Q(created_at=first.created_at, id__lt=first.pk))
    rows = rows.prefetch_related(files_of(), "feedbacks")
    found = list(rows.order_by("-created_at", "-id")[: limit + 1])
    shown = found[:limit][::-1]
    if conversation.mode == CHATFLOW:
        _read_forms(shown)
    return Window(shown, limit, len(found) > limit)


def forms_of(message: Message) -> list[HumanInputForm]:
    """What its run asked people, oldest first, as far as its window read that: chatflows alone ask."""
    found: list[HumanInputForm] = message.__dict__.get("_forms", [])
    return found


def _read_forms(shown: Iterable[Message]) -> None:
    """One query for all."""
    by_run: dict[UUID, list[HumanInputForm]] = {}
    for form in forms.of_runs([message.run_id for message in shown if message.run_id]):
        by_run.setdefault(form.run_id, []).append(form)
    for message in shown:
        message.__dict__["_forms"] = by_run.get(message.run_id, []) if message.run_id else []


def files_of(messages: str = "") -> Prefetch[Any]:
    """Prefetches the files of messages, behind the path ``messages``, with their uploads in one query."""
    return Prefetch(f"{messages}files", MessageFile.objects.select_related("upload_file"))


def given_files(message: Message) -> list[MessageFile]:
    """The files that came with the question, as far as they are still there."""
    rows = MessageFile.objects.filter(message=message, belongs_to="user").exclude(
        transfer_method="local_file", upload_file=None
    )
    return list(rows.order_by("created_at", "id"))


@transaction.atomic
def give_feedback(message: Message, end_user: EndUser, *, rating: str | None, content: str | None) -> Feedback | None:
    """Set, change or (rating None) revoke the end user's feedback. Raises InvalidParam when there is nothing to revoke."""
    own = Feedback.objects.filter(message=message, from_source="user")
    if rating is None:
        if not own.delete()[0]:
            raise InvalidParam(NOTHING_TO_REVOKE, params="rating")
        return None
    values: dict[str, Any] = {"rating": rating, "content": content, "end_user": end_user}
    fixed = {"tenant_id": message.tenant_id, "app_id": message.app_id, "conversation_id": message.conversation_id}
    feedback, _ = Feedback.objects.update_or_create(
        message=message, from_source="user", defaults=values, create_defaults={**values, **fixed}
    )
    return feedback


@transaction.atomic
def rate(message: Message, account: Principal, *, rating: str | None, content: str | None) -> None:
    """Set, change or (rating None) revoke the builders' feedback, whoever of them gave it. Raises InvalidParam as above."""
    own = Feedback.objects.filter(message=message, from_source="admin")
    if rating is None:
        if not own.delete()[0]:
            raise InvalidParam(NOTHING_TO_REVOKE, params="rating")
        return
    values: dict[str, Any] = {"rating": rating, "content": content, "account_id": account.actor_id}
    fixed = {"tenant_id": message.tenant_id, "app_id": message.app_id, "conversation_id": message.conversation_id}
    Feedback.objects.update_or_create(
        message=message, from_source="admin", defaults=values, create_defaults={**values, **fixed}
    )


def feedbacks(app: App, *, page: int, limit: int) -> list[Feedback]:
    """All feedback of the app, newest first."""
    start = (page - 1) * limit
    rows = Feedback.objects.for_tenant(app.tenant_id).filter(app=app).order_by("-created_at", "-id")
    return list(rows[start : start + limit])
