"""Statistics of an app: what its published use adds up to, day by day in the reader's time zone. Debug runs do not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, F, FloatField, Q, QuerySet, Sum
from django.db.models.functions import Cast, TruncDate

from apps.models import App, Feedback, Message
from difyproj.kernel import clock
from difyproj.kernel.principal import Tier

Day = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """The days looked at, in the reader's time zone."""

    timezone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None


def _messages(app: App, span: Span) -> QuerySet[Message]:
    rows = Message.objects.for_tenant(app.tenant_id).filter(app=app).exclude(tier=Tier.CONSOLE)
    return _within(rows, span, "created_at")


def _within(rows: QuerySet[Any], span: Span, column: str) -> QuerySet[Any]:
    if span.start is not None:
        rows = rows.filter(**{f"{column}__gte": span.start})
    if span.end is not None:
        rows = rows.filter(**{f"{column}__lt": span.end})
    return rows


def _by_day(rows: QuerySet[Any], span: Span, column: str = "created_at") -> QuerySet[Any, Day]:
    return rows.order_by().annotate(date=TruncDate(column, tzinfo=clock.zone(span.timezone))).values("date")


def _days(counted: QuerySet[Any, Day]) -> Iterator[tuple[str, Day]]:
    for row in counted.order_by("date"):
        yield row["date"].isoformat(), row


def daily_messages(app: App, span: Span) -> list[Day]:
    counted = _by_day(_messages(app, span), span).annotate(count=Count("pk"))
    return [{"date": date, "message_count": row["count"]} for date, row in _days(counted)]


def daily_conversations(app: App, span: Span) -> list[Day]:
    counted = _by_day(_messages(app, span), span).annotate(count=Count("conversation_id", distinct=True))
    return [{"date": date, "conversation_count": row["count"]} for date, row in _days(counted)]


def daily_end_users(app: App, span: Span) -> list[Day]:
    counted = _by_day(_messages(app, span), span).annotate(count=Count("end_user_id", distinct=True))
    return [{"date": date, "terminal_count": row["count"]} for date, row in _days(counted)]


def token_costs(app: App, span: Span) -> list[Day]:
    tokens = Sum(F("message_tokens") + F("answer_tokens"))
    counted = _by_day(_messages(app, span), span).annotate(tokens=tokens, price=Sum("total_price"))
    return [
        {"date": date, "token_count": row["tokens"] or 0, "total_price": str(row["price"] or Decimal(0)), "currency": "USD"}
        for date, row in _days(counted)
    ]


def average_session_interactions(app: App, span: Span) -> list[Day]:
    """Messages per conversation, by the day on which the conversation began."""
    own = Message.objects.for_tenant(app.tenant_id).filter(app=app).exclude(tier=Tier.CONSOLE)
    rows = _within(own, span, "conversation__created_at")
    counted = _by_day(rows, span, "conversation__created_at").annotate(
        messages=Count("pk"), conversations=Count("conversation_id", distinct=True)
    )
    return [{"date": date, "interactions": round(row["messages"] / row["conversations"], 2)} for date, row in _days(counted)]


def user_satisfaction_rate(app: App, span: Span) -> list[Day]:
    """Likes of end users per thousand messages, by the day of the message."""
    counted = _by_day(_messages(app, span), span).annotate(count=Count("pk"))
    liked = Feedback.objects.for_tenant(app.tenant_id).filter(app=app, rating="like", from_source="user")
    likes = _by_day(
        _within(liked.exclude(message__tier=Tier.CONSOLE), span, "message__created_at"), span, "message__created_at"
    )
    by_day = {date: row["likes"] for date, row in _days(likes.annotate(likes=Count("pk")))}
    return [{"date": date, "rate": round(by_day.get(date, 0) * 1000 / row["count"], 2)} for date, row in _days(counted)]


def average_response_time(app: App, span: Span) -> list[Day]:
    """Milliseconds."""
    counted = _by_day(_messages(app, span), span).annotate(latency=Avg("latency"))
    return [{"date": date, "latency": round((row["latency"] or 0) * 1000, 4)} for date, row in _days(counted)]


def tokens_per_second(app: App, span: Span) -> list[Day]:
    tokens, seconds = Sum(Cast("answer_tokens", FloatField())), Sum("latency", filter=Q(latency__gt=0))
    counted = _by_day(_messages(app, span), span).annotate(tokens=tokens, seconds=seconds)
    return [
        {"date": date, "tps": round(row["tokens"] / row["seconds"], 4) if row["seconds"] else 0.0}
        for date, row in _days(counted)
    ]
