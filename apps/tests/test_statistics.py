"""Statistics: published use adds up day by day in the reader's time zone; debug runs and strangers do not count."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models import App, Conversation, EndUser, Feedback, Message
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Served

MONDAY, TUESDAY = datetime(2026, 3, 2, 23, 30, tzinfo=UTC), datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def message(app: App, user: EndUser | None, conversation: Conversation, moment: datetime, tier: str = "service-api") -> Message:
    return Message.objects.create(
        tenant_id=app.tenant_id, app=app, conversation=conversation, end_user=user, tier=tier, created_at=moment,
        message_tokens=10, answer_tokens=30, total_price=Decimal("0.002"), latency=1.5, query="q", answer="a",
    )  # fmt: skip


def two_days(app: App) -> None:
    """Monday: ann asks twice in one conversation, and likes one answer. Tuesday: ann and ben ask once each."""
    ann, ben = (EndUser.objects.create(tenant_id=app.tenant_id, app=app, type="service-api", session_id=n) for n in "ab")
    own: dict[str, Any] = {"tenant_id": app.tenant_id, "app": app, "mode": app.mode}
    first = Conversation.objects.create(**own, tier="service-api", end_user=ann, created_at=MONDAY)
    second = Conversation.objects.create(**own, tier="web-app", end_user=ben, created_at=TUESDAY)
    debug = Conversation.objects.create(**own, tier="console", created_at=TUESDAY)
    liked = message(app, ann, first, MONDAY)
    message(app, ann, first, MONDAY)
    message(app, ann, first, TUESDAY)
    message(app, ben, second, TUESDAY, "web-app")
    message(app, None, debug, TUESDAY, "console")
    Feedback.objects.create(
        tenant_id=app.tenant_id, app=app, conversation=first, message=liked, rating="like", from_source="user", end_user=ann
    )


@pytest.fixture
async def alice(house: Served) -> TierClient:
    await sync_to_async(two_days)(house.chat.app)
    return await signed_in(house, house.cast.alice)


@pytest.mark.parametrize(
    ("name", "monday", "tuesday"),
    [
        ("daily-messages", {"message_count": 2}, {"message_count": 2}),
        ("daily-conversations", {"conversation_count": 1}, {"conversation_count": 2}),
        ("daily-end-users", {"terminal_count": 1}, {"terminal_count": 2}),
        ("token-costs", {"token_count": 80, "currency": "USD"}, {"token_count": 80, "currency": "USD"}),
        ("average-session-interactions", {"interactions": 3.0}, {"interactions": 1.0}),
        ("user-satisfaction-rate", {"rate": 500.0}, {"rate": 0.0}),
        ("average-response-time", {"latency": 1500.0}, {"latency": 1500.0}),
        ("tokens-per-second", {"tps": 20.0}, {"tps": 20.0}),
    ],
)
async def test_each_figure_by_day(
    house: Served, alice: TierClient, name: str, monday: dict[str, Any], tuesday: dict[str, Any]
) -> None:
    answer = await alice.get(f"/apps/{house.chat.app.pk}/statistics/{name}")
    days = answer.json()["data"]
    if name == "token-costs":
        assert [Decimal(day.pop("total_price")) for day in days] == [Decimal("0.004"), Decimal("0.004")]
    assert days == [{"date": "2026-03-02", **monday}, {"date": "2026-03-03", **tuesday}]


async def test_days_begin_where_the_reader_is(house: Served, alice: TierClient) -> None:
    person = house.cast.alice.account
    person.timezone = "Europe/Berlin"
    await person.asave()
    days = (await alice.get(f"/apps/{house.chat.app.pk}/statistics/daily-messages")).json()["data"]
    assert days == [{"date": "2026-03-03", "message_count": 4}]


async def test_a_span_cuts_days_off(house: Served, alice: TierClient) -> None:
    path = f"/apps/{house.chat.app.pk}/statistics/daily-messages"
    days = (await alice.get(path, start="2026-03-03 00:00", end="2026-03-04 00:00")).json()["data"]
    assert days == [{"date": "2026-03-03", "message_count": 2}]
    assert (await alice.get(path, start="2026-03-04 00:00")).json() == {"data": []}
    assert (await alice.get(path, start="soon")).json()["params"] == "start"


async def test_a_stranger_gets_no_figure(house: Served, alice: TierClient) -> None:
    eve = await signed_in(house, house.cast.eve)
    assert (await eve.get(f"/apps/{house.chat.app.pk}/statistics/daily-messages")).status == 404
    assert (await eve.get(f"/apps/{house.foreign.app.pk}/statistics/daily-messages")).json() == {"data": []}
