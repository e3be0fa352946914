"""Questions that people answered before are answered by what they wrote, without the model."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async

from apps.models import Annotation, AnnotationHit, AnnotationReply, Message
from apps.services import annotation, annotation_reply
from datasets.models import Embedding, IndexEntry
from difyproj.infra import jobs
from difyproj.testing.served import Served
from difyproj.testing.transcripts import Transcript
from difyproj.testing.upstream import Script

from .console_crew import Crew
from .flows import answer, llm, make_flow, row, start
from .flows import ask as ask_flow
from .test_transcripts import FOLDER, MODES, ask, moderation

SETTING = {"embedding_provider_name": "builtin", "embedding_model_name": "hashing-384", "score_threshold": 0.9}
QUESTION, ANSWER = "What is the opening time of the museum?", "At nine."


async def work() -> None:
    await sync_to_async(jobs.run_waiting)("apps.annotation_reply", "apps.annotation_import", due_only=False)


async def enable(house: Served, **setting: Any) -> dict[str, Any]:
    begun = await house.call("POST", "/v1/apps/annotation-reply/enable", json={**SETTING, **setting})
    assert (begun.status, begun.json()["job_status"]) == (200, "waiting")
    await work()
    path = f"/v1/apps/annotation-reply/enable/status/{begun.json()['job_id']}"
    told: dict[str, Any] = (await house.call("GET", path)).json()
    return told


async def annotate(house: Served, question: str = QUESTION, text: str = ANSWER) -> Annotation:
    app, by = house.chat.app, house.cast.alice.account.pk
    made: Annotation = await sync_to_async(annotation.create)(app, question=question, answer=text, account_id=by)
    return made


async def said(house: Served, query: str) -> str:
    frames = (await house.ask(query)).frames
    return "".join(frame.record.get("answer", "") for frame in frames)


async def test_a_question_that_was_answered_before_never_reaches_the_model(house: Served) -> None:
    kept = await annotate(house)
    assert (await enable(house))["job_status"] == "completed"
    for mode in MODES:
        told = Transcript()
        told.add((await ask(house, "chat", f"{QUESTION[:-1]} ?", response_mode=mode)).body)
        told.check(FOLDER / f"chat_annotation_{mode}.txt")
    assert house.upstream.requests == 0
    await kept.arefresh_from_db()
    hits = [hit async for hit in AnnotationHit.objects.all()]
    message = await Message.objects.order_by("-created_at").afirst()
    assert message is not None and message.answer == ANSWER
    assert kept.hit_count == len(hits) == 2
    assert (hits[0].message_id, hits[0].source, hits[0].annotation_content) == (message.pk, "service-api", ANSWER)
    assert 0.9 <= hits[0].score <= 1
    assert (await house.call("GET", "/v1/parameters")).json()["annotation_reply"] == {"enabled": True}


async def test_other_questions_are_the_models(house: Served) -> None:
    await annotate(house)
    await enable(house)
    assert await said(house, "Who painted the ceiling?") == "Hello, world!"
    assert not await AnnotationHit.objects.aexists()


async def test_what_is_written_changed_and_deleted_is_known_at_the_next_question(house: Served) -> None:
    await enable(house)
    kept = await annotate(house)
    assert await said(house, QUESTION) == "Hello, world!"
    await work()
    assert await said(house, QUESTION) == ANSWER
    await sync_to_async(annotation.update)(kept, question=QUESTION, answer="At ten.")
    assert await said(house, QUESTION) == "At ten."
    other = "How much is a ticket for children?"
    await sync_to_async(annotation.update)(kept, question=other, answer="Nothing.")
    assert await said(house, QUESTION) == await said(house, other) == "Hello, world!"
    await work()
    assert (await said(house, other), await said(house, QUESTION)) == ("Nothing.", "Hello, world!")
    await sync_to_async(annotation.delete)(await Annotation.objects.select_related("app").aget(pk=kept.pk))
    assert await said(house, other) == "Hello, world!"
    assert not await IndexEntry.objects.filter(index__dataset_id=house.chat.app.pk).aexists()


async def test_imported_rows_answer_too(house: Served, crew: Crew) -> None:
    await enable(house)
    form = aiohttp.FormData()
    form.add_field("file", f"question,answer\n{QUESTION},Noon.\n".encode(), filename="a.csv", content_type="text/csv")
    assert (await crew.bob.post(f"/apps/{house.chat.app.pk}/annotations/batch-import", data=form)).status == 200
    await work()
    await work()
    assert await said(house, QUESTION) == "Noon."


async def test_it_is_turned_off_at_once(house: Served) -> None:
    await annotate(house)
    await enable(house)
    off = await house.call("POST", "/v1/apps/annotation-reply/disable", json=SETTING)
    assert off.status == 200
    assert await said(house, QUESTION) == "Hello, world!"
    await work()
    assert not await IndexEntry.objects.filter(index__dataset_id=house.chat.app.pk).aexists()
    assert (await house.call("GET", "/v1/parameters")).json()["annotation_reply"] == {"enabled": False}
    assert (await enable(house))["job_status"] == "completed"
    assert await said(house, QUESTION) == ANSWER
    assert await Embedding.objects.filter(tenant=house.chat.app.tenant_id).acount() == 1


async def test_another_model_builds_another_index(house: Served) -> None:
    await annotate(house)
    await enable(house)
    house.upstream.script = Script(dimensions=8)
    told = await enable(house, embedding_provider_name="openai", embedding_model_name="text-embedding-3-small")
    assert (told["job_status"], told["error_msg"]) == ("completed", "")
    row = await AnnotationReply.objects.aget()
    assert (row.provider, row.dimensions, row.enabled) == ("openai", 8, True)
    assert await said(house, QUESTION) == ANSWER


async def test_a_checked_question_is_answered_by_people_and_a_forbidden_one_is_not(house: Served) -> None:
    await annotate(house, "Is this forbidden?", "No.")
    await enable(house)
    await house.configure(house.chat, sensitive_word_avoidance=moderation("inputs_config"))
    assert await said(house, "Is this forbidden?") == "Let us talk of something else."


async def test_a_chatflow_is_answered_before_its_graph_begins(house: Served) -> None:
    flow = await sync_to_async(make_flow)(house.cast.alice, row(start(), llm(), answer("{{#llm.text#}}")), "advanced-chat")
    house.chat.app = flow
    await annotate(house)
    await sync_to_async(annotation_reply.enable)(flow, provider="builtin", model="hashing-384", score_threshold=0.9, by=None)
    await work()
    asked = await ask_flow(flow, query=QUESTION)
    whole = await asked.whole()
    assert (whole["answer"], whole["metadata"]["annotation_reply"]["account"]["name"]) == (ANSWER, "Alice")
    assert house.upstream.requests == 0


async def test_builders_set_it_and_others_do_not(house: Served, crew: Crew) -> None:
    path = f"/apps/{house.chat.app.pk}"
    assert (await crew.bob.get(f"{path}/annotation-setting")).json() == {"enabled": False}
    begun = await crew.bob.post(f"{path}/annotation-reply/enable", SETTING)
    await work()
    status = await crew.bob.get(f"{path}/annotation-reply/enable/status/{begun.json()['job_id']}")
    assert status.json() == {"job_id": begun.json()["job_id"], "job_status": "completed", "error_msg": ""}
    found = (await crew.bob.get(f"{path}/annotation-setting")).json()
    assert (found["enabled"], found["score_threshold"]) == (True, 0.9)
    assert found["embedding_model"] == {"embedding_provider_name": "builtin", "embedding_model_name": "hashing-384"}
    changed = await crew.bob.post(f"{path}/annotation-settings/{found['id']}", {"score_threshold": 0.5})
    assert changed.json()["score_threshold"] == 0.5
    assert (await crew.bob.post(f"{path}/annotation-settings/nonsense", {"score_threshold": 0.5})).status == 404
    for rest in ("annotation-reply/enable", f"annotation-settings/{found['id']}"):
        await crew.assert_only_for("POST", f"{path}/{rest}", editors=True, json=SETTING)


@pytest.mark.parametrize(
    ("action", "body", "code"),
    [
        ("enable", {**SETTING, "score_threshold": 2}, "invalid_param"),
        ("enable", {**SETTING, "embedding_provider_name": "nobody"}, "provider_not_initialize"),
        ("enable", {**SETTING, "embedding_model_name": "gpt"}, "model_currently_not_support"),
        ("enable", {}, "invalid_param"),
        ("toggle", SETTING, "invalid_param"),
    ],
)
async def test_what_cannot_be_set_is_refused(house: Served, action: str, body: dict[str, Any], code: str) -> None:
    refused = await house.call("POST", f"/v1/apps/annotation-reply/{action}", json=body)
    assert (refused.status, refused.json()["code"]) == (400, code)
    unknown = await house.call("GET", "/v1/apps/annotation-reply/enable/status/1f6c0b7e-0000-4000-8000-000000000000")
    assert (unknown.status, unknown.json()["code"]) == (400, "invalid_param")
