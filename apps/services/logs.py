"""The logs of an app: what people asked it through the published tiers, filtered, counted and read by its builders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.models import Account
from apps.models import Annotation, App, Conversation, Feedback, Message
from difyproj.infra.paging import Page, Totals, page_of
from difyproj.infra.searches import limited
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam

from .conversations import SORTS, ConversationNotFound
from .conversations import delete as take_away
from .messages import MessageNotFound

TIME_FORMAT = "%Y-%m-%d %H:%M"
_totals: Totals[int] = Totals("log_totals", size=int)


@dataclass(frozen=True, slots=True)
class Filters:
    """``annotation_status``: all, annotated, not_annotated. Times are inclusive."""

    keyword: str = ""
    start: datetime | None = None
    end: datetime | None = None
    annotation_status: str = "all"
    sort_by: str = "-created_at"


@dataclass(slots=True)
class Facts:
    """What a line of the log tells of its conversation beside its own columns. Ratings are (likes, dislikes)."""

    messages: int = 0
    failed: int = 0
    user: tuple[int, int] = (0, 0)
    admin: tuple[int, int] = (0, 0)
    annotated: bool = False
    first: Message | None = None
    account_name: str | None = None


def parse_time(value: str, timezone: str, *, field: str) -> datetime | None:
    """``YYYY-MM-DD HH:MM`` of the reader's time zone, in UTC; None for an empty text. Raises InvalidParam."""
    if not value:
        return None
    try:
        return datetime.strptime(value, TIME_FORMAT).replace(tzinfo=clock.zone(timezone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidParam(f"{field} must look like 2026-01-31 13:05.", params=field) from error


def conversations(app: App, filters: Filters, *, page: int, limit: int) -> Page[Conversation]:
    """One page of the app's logged conversations with their end users. Raises SearchTooSlow."""
    rows = Conversation.objects.for_tenant(app.tenant_id).filter(app=app).logged().select_related("end_user")
    sort = filters.sort_by if filters.sort_by in SORTS else "-created_at"
    found = _narrowed(rows, filters).order_by(sort, "-id")
    with limited() if filters.keyword else nullcontext():
        return page_of(found, page=page, limit=limit, total=partial(_total, (app.pk, replace(filters, sort_by=""))))


def _total(key: tuple[UUID, Filters], rows: QuerySet[Conversation]) -> int:
    return _totals.get(key, rows.order_by().count)


def _narrowed(rows: QuerySet[Conversation], filters: Filters) -> QuerySet[Conversation]:
    if filters.start is not None:
        rows = rows.filter(created_at__gte=filters.start)
    if filters.end is not None:
        rows = rows.filter(created_at__lte=filters.end)
    if filters.annotation_status != "all":
        annotated = Exists(Annotation.objects.filter(conversation=OuterRef("pk")))
        rows = rows.filter(annotated if filters.annotation_status == "annotated" else ~annotated)
    if filters.keyword:
        rows = rows.filter(_mentions(filters.keyword))
    return rows


def _mentions(keyword: str) -> Q:
    said = Message.objects.filter(conversation=OuterRef("pk")).filter(
        Q(query__icontains=keyword) | Q(answer__icontains=keyword)
    )
    return Q(name__icontains=keyword) | Q(end_user__session_id__icontains=keyword) | Q(Exists(said))


def get(app: App, conversation_id: UUID | str) -> Conversation:
    """A logged conversation of the app. Raises ConversationNotFound."""
    key = ids.parse(conversation_id)
    rows = Conversation.objects.for_tenant(app.tenant_id).filter(app=app).logged().select_related("end_user")
    found = rows.filter(pk=key).first() if key else None
    if found is None:
        raise ConversationNotFound
    return found


def delete(app: App, conversation_id: UUID | str) -> None:
    """Take a conversation out of the logs; whoever does it sees it leave the count at once. Raises ConversationNotFound."""
    take_away(get(app, conversation_id))
    transaction.on_commit(_totals.clear)


def read(conversation: Conversation) -> Conversation:
    """Note that an operator looks at it, the first time."""
    if conversation.read_at is None:
        conversation.read_at = clock.now()
        Conversation.objects.filter(pk=conversation.pk, read_at=None).update(read_at=conversation.read_at)
    return conversation


def message(app: App, message_id: UUID | str) -> Message:
    """Any message of the app, debug runs included. Raises MessageNotFound."""
    key = ids.parse(message_id)
    rows = Message.objects.for_tenant(app.tenant_id).filter(app=app).select_related("conversation", "end_user")
    found = rows.filter(pk=key).first() if key else None
    if found is None:
        raise MessageNotFound
    return found


def feedbacks(app: App, *, from_source: str = "", rating: str = "") -> list[Feedback]:
    """The feedback of the app's published use for an export, newest first, as much as one answer holds."""
    rows = Feedback.objects.for_tenant(app.tenant_id).filter(app=app)
    chosen = {name: value for name, value in (("from_source", from_source), ("rating", rating)) if value}
    return list(rows.filter(**chosen).order_by("-created_at", "-id")[: settings.EXPORT_MAX_ROWS])


def facts_of(rows: Sequence[Conversation]) -> dict[UUID, Facts]:
    """The facts of each conversation, by its id: five queries at most, however many there are."""
    facts = {row.pk: Facts() for row in rows}
    _count_messages(facts)
    _count_ratings(facts)
    annotated = Annotation.objects.filter(conversation_id__in=facts).values_list("conversation_id", flat=True)
    for conversation_id in filter(None, annotated):
        facts[conversation_id].annotated = True
    names = account_names(row.account_id for row in rows)
    for row in rows:
        facts[row.pk].account_name = names.get(row.account_id)
    _find_first_messages(facts)
    return facts


def _find_first_messages(facts: dict[UUID, Facts]) -> None:
    first = Message.objects.filter(conversation=OuterRef("conversation")).order_by("created_at", "id").values("pk")[:1]
    for row in Message.objects.filter(conversation_id__in=facts, pk=first):
        facts[row.conversation_id].first = row


def _count_messages(facts: dict[UUID, Facts]) -> None:
    counted = Message.objects.filter(conversation_id__in=facts).order_by().values("conversation_id")
    for row in counted.annotate(messages=Count("pk"), failed=Count("pk", filter=Q(status="error"))):
        found = facts[row["conversation_id"]]
        found.messages, found.failed = row["messages"], row["failed"]


def _count_ratings(facts: dict[UUID, Facts]) -> None:
    likes, dislikes = Count("pk", filter=Q(rating="like")), Count("pk", filter=Q(rating="dislike"))
    rated = Feedback.objects.filter(conversation_id__in=facts).order_by().values("conversation_id", "from_source")
    for row in rated.annotate(likes=likes, dislikes=dislikes):
        setattr(facts[row["conversation_id"]], row["from_source"], (row["likes"], row["dislikes"]))


def account_names(account_ids: Iterable[Any]) -> dict[Any, str]:
    """The names of these accounts, by id; no query when there is none."""
    wanted = {account_id for account_id in account_ids if account_id is not None}
    return dict(Account.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}
