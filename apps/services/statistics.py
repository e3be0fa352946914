"""Statistics of an app: what its published use adds up to, day by day in the reader's time zone. Debug runs do not count."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Avg, Count, F, FloatField, Q, QuerySet, Sum
from django.db.models.functions import Cast

from apps.models import App, Feedback, Message
from difyproj.infra.days import Day, Span, days
from difyproj.kernel.principal import Tier


def _messages(app: App, span: Span) -> QuerySet[Message]:
    rows = Message.objects.for_tenant(app.tenant_id).filter(app=app).exclude(tier=Tier.CONSOLE)
    return span.within(rows)


def daily_messages(app: App, span: Span) -> list[Day]:
    counted = span.by_day(_messages(app, span)).annotate(count=Count("pk"))
    return [{"date": date, "message_count": row["count"]} for date, row in days(counted)]


def daily_conversations(app: App, span: Span) -> list[Day]:
    counted = span.by_day(_messages(app, span)).annotate(count=Count("conversation_id", distinct=True))
    return [{"date": date, "conversation_count": row["count"]} for date, row in days(counted)]


def daily_end_users(app: App, span: Span) -> list[Day]:
    counted = span.by_day(_messages(app, span)).annotate(count=Count("end_user_id", distinct=True))
    return [{"date": date, "terminal_count": row["count"]} for date, row in days(counted)]


def token_costs(app: App, span: Span) -> list[Day]:
    tokens = Sum(F("message_tokens") + F("answer_tokens"))
    counted = span.by_day(_messages(app, span)).annotate(tokens=tokens, price=Sum("total_price"))
    return [
        {"date": date, "token_count": row["tokens"] or 0, "total_price": str(row["price"] or Decimal(0)), "currency": "USD"}
        for date, row in days(counted)
    ]


def average_session_interactions(app: App, span: Span) -> list[Day]:
    """Messages per conversation, by the day on which the conversation began."""
    own = Message.objects.for_tenant(app.tenant_id).filter(app=app).exclude(tier=Tier.CONSOLE)
    rows = span.within(own, "conversation__created_at")
    counted = span.by_day(rows, "conversation__created_at").annotate(
        messages=Count("pk"), conversations=Count("conversation_id", distinct=True)
    )
    return [{"date": date, "interactions": round(row["messages"] / row["conversations"], 2)} for date, row in days(counted)]


def user_satisfaction_rate(app: App, span: Span) -> list[Day]:
    """Likes of end users per thousand messages, by the day of the message."""
    counted = span.by_day(_messages(app, span)).annotate(count=Count("pk"))
    liked = Feedback.objects.for_tenant(app.tenant_id).filter(app=app, rating="like", from_source="user")
    rows = span.within(liked.exclude(message__tier=Tier.CONSOLE), "message__created_at")
    likes = span.by_day(rows, "message__created_at")
    by_day = {date: row["likes"] for date, row in days(likes.annotate(likes=Count("pk")))}
    return [{"date": date, "rate": round(by_day.get(date, 0) * 1000 / row["count"], 2)} for date, row in days(counted)]


def average_response_time(app: App, span: Span) -> list[Day]:
    """Milliseconds."""
    counted = span.by_day(_messages(app, span)).annotate(latency=Avg("latency"))
    return [{"date": date, "latency": round((row["latency"] or 0) * 1000, 4)} for date, row in days(counted)]


def tokens_per_second(app: App, span: Span) -> list[Day]:
    tokens, seconds = Sum(Cast("answer_tokens", FloatField())), Sum("latency", filter=Q(latency__gt=0))
    counted = span.by_day(_messages(app, span)).annotate(tokens=tokens, seconds=seconds)
    return [
        {"date": date, "tps": round(row["tokens"] / row["seconds"], 4) if row["seconds"] else 0.0}
        for date, row in days(counted)
    ]
