"""Annotations, through the console and an app's key: the list, single ones, corrections, CSV in and out, hits."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from django.test.utils import override_settings

from apps.models import Annotation, AnnotationHit, UploadFile
from apps.services import annotation
from difyproj.infra import jobs
from difyproj.infra.models import Job
from difyproj.kernel.errors import InvalidParam
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Key, Served

PAIR = {"question": "Where are you?", "answer": "Here."}


@pytest.fixture
async def bob(house: Served) -> TierClient:
    """An editor."""
    return await signed_in(house, house.cast.bob)


def at(key: Key, rest: str = "") -> str:
    return f"/apps/{key.app.pk}/annotations{rest}"


async def test_an_annotation_is_made_changed_and_deleted_through_the_console(house: Served, bob: TierClient) -> None:
    made = await bob.post(at(house.chat), PAIR)
    assert made.status == 201
    record = made.json()
    assert {name: record[name] for name in ("question", "answer", "hit_count")} == {**PAIR, "hit_count": 0}
    row = await Annotation.objects.aget(pk=record["id"])
    assert (row.tenant_id, row.app_id, row.account_id) == (
        house.chat.app.tenant_id,
        house.chat.app.pk,
        house.cast.bob.account.pk,
    )
    changed = await bob.post(at(house.chat, f"/{record['id']}"), {**PAIR, "answer": "There."})
    assert changed.json()["answer"] == "There."
    assert (await bob.get(at(house.chat, "/count"))).json() == {"count": 1}
    assert (await bob.delete(at(house.chat, f"/{record['id']}"))).status == 204
    assert not await Annotation.objects.aexists()


async def test_an_apps_key_does_the_same_on_the_service_api(house: Served) -> None:
    made = await house.call("POST", "/v1/apps/annotations", json=PAIR)
    assert made.status == 201
    path = f"/v1/apps/annotations/{made.json()['id']}"
    changed = await house.call("PUT", path, json={**PAIR, "answer": "There."})
    assert (changed.status, changed.json()["answer"]) == (200, "There.")
    page = (await house.call("GET", "/v1/apps/annotations?keyword=there")).json()
    assert (page["total"], page["page"], page["limit"], page["has_more"]) == (1, 1, 20, False)
    assert (await house.call("DELETE", path)).status == 204
    assert (await house.call("DELETE", path)).json()["code"] == "not_found"


async def test_a_key_of_a_completion_app_has_no_annotations(house: Served) -> None:
    assert (await house.call("GET", "/v1/apps/annotations", key=house.completion)).json()["code"] == "not_chat_app"


async def test_a_logged_answer_is_corrected_once(house: Served, bob: TierClient) -> None:
    asked = (await house.ask("Who?", response_mode="blocking", auto_generate_name=False)).json()
    for answer in ("Me.", "You."):
        made = await bob.post(at(house.chat), {"message_id": asked["id"], "answer": answer})
        assert (made.status, made.json()["question"]) == (201, "Who?")
    row = await Annotation.objects.aget()
    assert (row.content, str(row.message_id), str(row.conversation_id)) == ("You.", asked["id"], asked["conversation_id"])


@pytest.mark.parametrize("body", [{}, {"question": "x"}, {"question": " ", "answer": "y"}, {"question": "x", "answer": "\0"}])
async def test_an_annotation_without_question_or_answer_is_refused(
    house: Served, bob: TierClient, body: dict[str, Any]
) -> None:
    assert (await bob.post(at(house.chat), body)).json()["code"] == "invalid_param"
    assert not await Annotation.objects.aexists()


async def test_the_list_has_pages_and_a_keyword(house: Served, bob: TierClient) -> None:
    for number in range(3):
        await bob.post(at(house.chat), {"question": f"Question {number}", "answer": "Yes" if number else "Never"})
    page = (await bob.get(at(house.chat), limit="2")).json()
    assert ([row["question"] for row in page["data"]], page["total"], page["has_more"]) == (
        ["Question 2", "Question 1"], 3, True,
    )  # fmt: skip
    assert (await bob.get(at(house.chat), keyword="never")).json()["total"] == 1


async def test_some_or_all_are_deleted_at_once(house: Served, bob: TierClient) -> None:
    made = [(await bob.post(at(house.chat), PAIR)).json()["id"] for _ in range(3)]
    foreign = await sync_to_async(annotation.create)(house.foreign.app, question="q", answer="a")
    answer = await house.call(
        "DELETE",
        f"/console/api{at(house.chat)}?annotation_id={made[0]}&annotation_id={foreign.pk}&annotation_id=odd",
        headers=bob.headers,
    )
    assert answer.status == 204
    assert await Annotation.objects.acount() == 3
    assert (await bob.delete(at(house.chat))).status == 204
    assert [row.pk async for row in Annotation.objects.all()] == [foreign.pk]


async def test_everything_is_exported(house: Served, bob: TierClient) -> None:
    await bob.post(at(house.chat), PAIR)
    (row,) = (await bob.get(at(house.chat, "/export"))).json()["data"]
    assert (row["question"], row["answer"]) == ("Where are you?", "Here.")


@override_settings(EXPORT_MAX_ROWS=2)
async def test_an_export_gives_the_newest_that_one_answer_holds(house: Served, bob: TierClient) -> None:
    made = [(await bob.post(at(house.chat), {**PAIR, "question": f"Where? {number}"})).json()["id"] for number in range(3)]
    rows = (await bob.get(at(house.chat, "/export"))).json()["data"]
    assert [row["id"] for row in rows] == [made[2], made[1]]


async def test_the_hits_of_an_annotation_are_told(house: Served, bob: TierClient) -> None:
    made = await sync_to_async(annotation.create)(house.chat.app, question="q", answer="a")
    await AnnotationHit.objects.acreate(
        tenant_id=made.tenant_id, app_id=made.app_id, annotation=made, question="asked", source="api", score=0.9,
        annotation_question="q", annotation_content="a",
    )  # fmt: skip
    page = (await bob.get(at(house.chat, f"/{made.pk}/hit-histories"))).json()
    (hit,) = page["data"]
    assert (hit["question"], hit["match"], hit["response"], hit["score"], page["total"]) == ("asked", "q", "a", 0.9, 1)


def csv_form(content: bytes, name: str = "a.csv") -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", content, filename=name, content_type="text/csv")
    return form


async def imported(house: Served, bob: TierClient, content: bytes) -> dict[str, Any]:
    """The state of an import once its job is done."""
    begun = await bob.post(at(house.chat, "/batch-import"), data=csv_form(content))
    assert begun.status == 200, begun.body
    assert begun.json()["job_status"] == "waiting"
    await sync_to_async(jobs.run_waiting)()
    state = await bob.get(at(house.chat, f"/batch-import-status/{begun.json()['job_id']}"))
    record: dict[str, Any] = state.json()
    return record


async def test_a_csv_file_is_taken_in_by_a_job(house: Served, bob: TierClient) -> None:
    content = '\ufeffquestion,answer\n"Hello, you?","Yes\nme"\n你好,世界\n'.encode()
    state = await imported(house, bob, content)
    assert (state["job_status"], state["record_count"], state["error_msg"]) == ("completed", 2, "")
    rows = {row.question: row.content async for row in Annotation.objects.all()}
    assert rows == {"Hello, you?": "Yes\nme", "你好": "世界"}


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"one\n", "Line 1"), (b"q,a\n\xff\xfe,x\n", "UTF-8"), (b"question,answer\n", "no rows"), (b'"open', "not a valid CSV")],
)
async def test_a_file_that_cannot_be_read_says_why_and_leaves_nothing(
    house: Served, bob: TierClient, content: bytes, told: str
) -> None:
    state = await imported(house, bob, content)
    assert state["job_status"] == "error"
    assert told in state["error_msg"]
    assert not await Annotation.objects.aexists()


async def test_a_job_that_runs_twice_writes_nothing_twice(house: Served, bob: TierClient) -> None:
    await imported(house, bob, b"q,a\nr,b\n")
    job = await Job.objects.aget(kind="apps.annotation_import")

    def again() -> list[int]:
        return list(annotation.take_in(job.target_id, job_id=job.pk, account_id=None))

    assert await sync_to_async(again)() == [2]
    assert await Annotation.objects.acount() == 2


def test_more_rows_than_allowed_are_refused(settings: Any) -> None:
    settings.ANNOTATION_IMPORT_MAX_RECORDS = 2
    with pytest.raises(InvalidParam, match="more than 2"):
        annotation.parse_csv(b"a,b\nc,d\ne,f\n")


async def test_a_file_of_another_kind_is_refused_at_once(house: Served, bob: TierClient) -> None:
    answer = await bob.post(at(house.chat, "/batch-import"), data=csv_form(b"a,b", "a.txt"))
    assert (answer.status, answer.json()["params"]) == (400, "file")
    assert not await UploadFile.objects.aexists()


async def test_strangers_and_lower_roles_reach_nothing(house: Served, bob: TierClient) -> None:
    made = (await bob.post(at(house.chat), PAIR)).json()["id"]
    begun = (await bob.post(at(house.chat, "/batch-import"), data=csv_form(b"q,a"))).json()["job_id"]
    eve, norma = await signed_in(house, house.cast.eve), await signed_in(house, house.cast.norma)
    for rest in ("", f"/{made}/hit-histories", "/export", f"/batch-import-status/{begun}"):
        assert (await eve.get(at(house.chat, rest))).status == 404, rest
        assert (await norma.get(at(house.chat, rest))).status == 403, rest
    assert (await eve.get(at(house.foreign, f"/batch-import-status/{begun}"))).json()["code"] == "invalid_param"
    assert (await eve.post(at(house.foreign, f"/{made}"), PAIR)).status == 404
    assert (await eve.delete(at(house.foreign, f"/{made}"))).status == 404
    assert (await house.call("PUT", f"/v1/apps/annotations/{made}", key=house.foreign, json=PAIR)).status == 404
    assert await Annotation.objects.filter(pk=made, question=PAIR["question"]).aexists()
