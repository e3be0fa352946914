"""The logs: published conversations with their counts, filters and details; debug runs and strangers stay out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL
from django.test.utils import override_settings

from apps.models import Conversation, Feedback, Message
from apps.services import logs
from difyproj.infra import paging
from difyproj.kernel import clock
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.queries import queries_of
from difyproj.testing.served import Served


@pytest.fixture
async def alice(house: Served) -> TierClient:
    return await signed_in(house, house.cast.alice)


async def asked(house: Served, query: str = "What is love?", user: str = "u1", **fields: Any) -> dict[str, Any]:
    answer = await house.ask(query, response_mode="blocking", user=user, auto_generate_name=False, **fields)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json()
    return body


def chats(house: Served) -> str:
    return f"/apps/{house.chat.app.pk}/chat-conversations"


async def test_the_list_tells_who_asked_what_and_how_it_was_rated(house: Served, alice: TierClient) -> None:
    first = await asked(house)
    await asked(house, "And hate?", conversation_id=first["conversation_id"])
    await house.call("POST", f"/v1/messages/{first['id']}/feedbacks", json={"user": "u1", "rating": "like"})
    await alice.post(f"/apps/{house.chat.app.pk}/feedbacks", {"message_id": first["id"], "rating": "dislike", "content": "no"})
    page = (await alice.get(chats(house))).json()
    assert {name: page[name] for name in ("page", "limit", "total", "has_more")} == {
        "page": 1, "limit": 20, "total": 1, "has_more": False,
    }  # fmt: skip
    (line,) = page["data"]
    assert line["id"] == first["conversation_id"]
    assert (line["summary"], line["message_count"], line["from_end_user_session_id"]) == ("What is love?", 2, "u1")
    assert line["user_feedback_stats"] == {"like": 1, "dislike": 0}
    assert line["admin_feedback_stats"] == {"like": 0, "dislike": 1}
    assert line["status_count"] == {"success": 2, "failed": 0, "partial_success": 0}
    assert (line["from_source"], line["read_at"], line["annotated"]) == ("api", None, False)


async def test_pages_follow_each_other_and_sorting_turns_them_round(house: Served, alice: TierClient) -> None:
    made = [(await asked(house, f"Question {number}"))["conversation_id"] for number in range(3)]
    page = (await alice.get(chats(house), limit="2")).json()
    assert ([row["id"] for row in page["data"]], page["total"], page["has_more"]) == ([made[2], made[1]], 3, True)
    page = (await alice.get(chats(house), limit="2", page="2", sort_by="-created_at")).json()
    assert ([row["id"] for row in page["data"]], page["total"], page["has_more"]) == ([made[0]], 3, False)
    page = (await alice.get(chats(house), sort_by="created_at")).json()
    assert [row["id"] for row in page["data"]] == made


async def test_a_large_total_is_remembered_for_a_while_and_a_small_one_never(
    house: Served, alice: TierClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def totals(**more: str) -> tuple[int, bool]:
        page = (await alice.get(chats(house), limit="1", **more)).json()
        return page["total"], page["has_more"]

    made = [(await asked(house, f"Question {number}"))["conversation_id"] for number in range(2)]
    assert await totals() == (2, True)
    made.append((await asked(house))["conversation_id"])
    assert await totals() == (3, True)
    monkeypatch.setattr(paging, "LARGE_TOTAL", 3)
    assert await totals() == (3, True)
    await asked(house)
    assert await totals() == (3, True)
    assert await totals(page="3") == (4, True)  # More rows than remembered were found.
    assert await totals(page="4") == (4, False)
    assert await totals(page="5") == (4, False)
    assert await totals(keyword="Question") == (2, True)
    assert (await alice.delete(f"{chats(house)}/{made[0]}")).status == 204
    assert await totals() == (3, True)
    assert await totals(keyword="Question") == (1, False)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"keyword": "LOVE"}, ["love"]),
        ({"keyword": "person-b"}, ["hate"]),
        ({"keyword": "nobody said this"}, []),
        ({"annotation_status": "annotated"}, ["hate"]),
        ({"annotation_status": "not_annotated"}, ["love"]),
        ({"start": "2000-01-01 00:00", "end": "2000-01-02 00:00"}, []),
        ({"start": "2000-01-01 00:00"}, ["hate", "love"]),
    ],
)
async def test_filters_narrow_the_list(house: Served, alice: TierClient, filters: dict[str, str], found: list[str]) -> None:
    love = await asked(house, "Tell me of love", user="person-a")
    hate = await asked(house, "Tell me of hate", user="person-b")
    annotated = {"message_id": hate["id"], "answer": "No."}
    assert (await alice.post(f"/apps/{house.chat.app.pk}/annotations", annotated)).status == 201
    names = {love["conversation_id"]: "love", hate["conversation_id"]: "hate"}
    page = (await alice.get(chats(house), **filters)).json()
    assert [names[row["id"]] for row in page["data"]] == found


@pytest.mark.parametrize(
    "query",
    [
        {"start": "yesterday"}, {"end": "2026-13-01 00:00"}, {"page": "0"}, {"limit": "101"}, {"sort_by": "tenant_id"},
        {"annotation_status": "some"},
    ],
)  # fmt: skip
async def test_a_filter_that_makes_no_sense_is_named(house: Served, alice: TierClient, query: dict[str, str]) -> None:
    answer = await alice.get(chats(house), **query)
    assert (answer.status, answer.json()["code"], answer.json()["params"]) == (400, "invalid_param", next(iter(query)))


async def test_times_are_the_readers_own(house: Served, alice: TierClient) -> None:
    person = house.cast.alice.account
    person.timezone = "Asia/Shanghai"
    await person.asave()
    await asked(house)
    soon = (clock.now() + timedelta(hours=8, minutes=5)).strftime("%Y-%m-%d %H:%M")
    before = (clock.now() + timedelta(hours=7)).strftime("%Y-%m-%d %H:%M")
    assert (await alice.get(chats(house), start=before, end=soon)).json()["total"] == 1
    assert (await alice.get(chats(house), end=before)).json()["total"] == 0


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
async def test_a_time_at_the_end_of_the_calendar_is_refused_or_understood(house: Served, alice: TierClient, zone: str) -> None:
    person = house.cast.alice.account
    person.timezone = zone
    await person.asave()
    for path in (chats(house), f"/apps/{house.chat.app.pk}/statistics/daily-messages"):
        for field, moment, past in (("start", "0001-01-01 00:00", "Asia"), ("end", "9999-12-31 23:59", "America")):
            answer = await alice.get(path, **{field: moment})
            assert answer.status == (400 if zone.startswith(past) else 200), answer.body
            if answer.status == 400:
                assert answer.json()["params"] == field


async def test_reading_a_conversation_is_remembered(house: Served, alice: TierClient) -> None:
    made = await asked(house)
    detail = (await alice.get(f"{chats(house)}/{made['conversation_id']}")).json()
    assert (detail["id"], detail["message_count"], detail["inputs"]) == (made["conversation_id"], 1, {})
    assert (await Conversation.objects.aget()).read_at is not None
    assert (await alice.get(chats(house))).json()["data"][0]["read_at"] == detail["read_at"]


async def test_a_deleted_conversation_leaves_the_logs_and_its_owners_list(house: Served, alice: TierClient) -> None:
    made = await asked(house)
    assert (await alice.delete(f"{chats(house)}/{made['conversation_id']}")).status == 204
    assert (await alice.get(chats(house))).json()["total"] == 0
    assert (await house.call("GET", "/v1/conversations?user=u1")).json()["data"] == []
    assert (await Conversation.objects.aget()).is_deleted


async def test_debug_runs_stay_out(house: Served, alice: TierClient) -> None:
    await asked(house)
    await Conversation.objects.aupdate(tier="console")
    assert (await alice.get(chats(house))).json()["total"] == 0


async def test_completion_logs_show_the_message_itself(house: Served, alice: TierClient) -> None:
    body = {"inputs": {"query": "A poem"}, "user": "u1", "response_mode": "blocking"}
    await house.call("POST", "/v1/completion-messages", key=house.completion, json=body)
    page = (await alice.get(f"/apps/{house.completion.app.pk}/completion-conversations")).json()
    (line,) = page["data"]
    assert line["message"]["answer"] == "Hello, world!"
    detail = await alice.get(f"/apps/{house.completion.app.pk}/completion-conversations/{line['id']}")
    assert detail.json()["message"]["answer"] == "Hello, world!"


async def test_feedback_of_the_builders_is_set_changed_exported_and_revoked(house: Served, alice: TierClient) -> None:
    made = await asked(house)
    path = f"/apps/{house.chat.app.pk}/feedbacks"
    assert (await alice.post(path, {"message_id": made["id"], "rating": "like"})).json() == {"result": "success"}
    await alice.post(path, {"message_id": made["id"], "rating": "dislike", "content": "wrong"})
    row = await Feedback.objects.aget()
    assert (row.from_source, row.rating, row.content, row.account_id) == (
        "admin", "dislike", "wrong", house.cast.alice.account.pk,
    )  # fmt: skip
    exported = (await alice.get(f"{path}/export", rating="dislike")).json()["data"]
    assert [(row["message_id"], row["from_source"]) for row in exported] == [(made["id"], "admin")]
    assert (await alice.get(f"{path}/export", rating="like")).json()["data"] == []
    assert (await alice.post(path, {"message_id": made["id"], "rating": None})).status == 200
    assert not await Feedback.objects.aexists()
    assert (await alice.post(path, {"message_id": made["id"], "rating": None})).status == 400


async def test_a_stranger_and_a_lower_role_see_nothing(house: Served) -> None:
    made = await asked(house)
    eve, norma = await signed_in(house, house.cast.eve), await signed_in(house, house.cast.norma)
    paths = (chats(house), f"{chats(house)}/{made['conversation_id']}", f"/apps/{house.chat.app.pk}/feedbacks/export")
    for path in paths:
        assert (await eve.get(path)).status == 404, path
        assert (await norma.get(path)).status == 403, path
    assert (await eve.delete(paths[1])).status == 404
    assert (await eve.post(f"/apps/{house.chat.app.pk}/feedbacks", {"message_id": made["id"], "rating": "like"})).status == 404
    other = await sync_to_async(lambda: Message.objects.get())()
    own = await eve.post(f"/apps/{house.foreign.app.pk}/feedbacks", {"message_id": str(other.pk), "rating": "like"})
    assert own.status == 404
    assert not await Feedback.objects.aexists()


async def test_the_list_costs_the_same_however_long_it_is(house: Served, alice: TierClient) -> None:
    await asked(house)
    few = await queries_of(alice.get, chats(house))
    for number in range(5):
        await asked(house, f"Question {number}")
    many = await queries_of(alice.get, chats(house))
    assert many == few
    assert many <= 8


@override_settings(EXPORT_MAX_ROWS=1)
async def test_an_export_of_feedback_gives_the_newest_that_one_answer_holds(house: Served, alice: TierClient) -> None:
    path = f"/apps/{house.chat.app.pk}/feedbacks"
    for query in ("First?", "Second?"):
        made = await asked(house, query)
        await alice.post(path, {"message_id": made["id"], "rating": "like"})
    assert [row["message_id"] for row in (await alice.get(f"{path}/export")).json()["data"]] == [made["id"]]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite knows no time limit of a statement")
async def test_a_search_that_takes_too_long_is_refused_and_harms_nobody(
    house: Served, alice: TierClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asked(house)
    sleeping = Q(RawSQL("pg_sleep(60) IS NULL", (), output_field=BooleanField()))
    with override_settings(LOG_SEARCH_SECONDS=0.1), monkeypatch.context() as patch:
        patch.setattr(logs, "_mentions", lambda keyword: sleeping)
        answer = await alice.get(chats(house), keyword="love")
        assert (answer.status, answer.json()["code"], answer.json()["params"]) == (400, "invalid_param", "keyword")
    assert (await alice.get(chats(house), keyword="love")).json()["total"] == 1
    assert await sync_to_async(time_limit)() == "0"


def time_limit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])
