"""Runs that wait for people: nothing of them stays in memory, and they go on where they were, once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError

from apps import generation
from apps.generation import asking as asking_door
from apps.generation import graph_past, graph_record, graph_resume, live, reaper
from apps.generation.live import LiveRun
from apps.generation.plan import Plan
from apps.models import App, Message, Run, RunStatus, UploadFile
from apps.services import files
from difyproj.infra import backends, db, loop
from difyproj.kernel import clock
from difyproj.kernel.errors import HumanInputFormSubmitted, InvalidParam
from difyproj.testing.served import Served
from difyproj.testing.transcripts import Transcript
from difyproj.testing.upstream import Script
from difyproj.tiers.streaming import frame
from workflows.models import HumanInputForm, NodeExecution, WorkflowRun
from workflows.services import forms

from .flows import Asked, answer, ask, edge, end, end_user, llm, make_flow, names, node, start
from .restart import lose_logs
from .test_flow_crashes import die, until_over
from .test_flow_transcripts import FOLDER, note_rows, ordered


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


def asking(node_id: str = "form", **data: Any) -> dict[str, Any]:
    fields = [{"type": "paragraph", "output_variable_name": "why"}]
    actions = [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}]
    return node(node_id, "human-input", form_content="Shall I?", inputs=fields, user_actions=actions, **data)


APPROVAL = {
    "nodes": [
        start(), asking(), llm(text="{{#form.why#}}"), answer("Because {{#form.why#}}: {{#llm.text#}}"), answer("No.", "no"),
        answer("Too late.", "late"),
    ],
    "edges": [
        edge("start", "form"), edge("form", "llm", "yes"), edge("form", "no", "no"), edge("form", "late", "__timeout"),
        edge("llm", "answer"),
    ],
}  # fmt: skip


async def approval(house: Served, mode: str = "advanced-chat") -> App:
    graph: dict[str, Any] = dict(APPROVAL)
    if mode == "workflow":
        graph["nodes"] = [*graph["nodes"][:3], end(why=["form", "why"], text=["llm", "text"])]
        graph["edges"] = [edge("start", "form"), edge("form", "llm", "yes"), edge("llm", "end")]
    return await sync_to_async(make_flow)(house.cast.alice, graph, mode)


async def submit(token: str, action: str = "yes", why: str = "it rains") -> None:
    await sync_to_async(generation.submit_form)(token, action=action, inputs={"why": why})


def token_of(heard: list[tuple[int, dict[str, Any]]]) -> str:
    return str(heard[-1][1]["data"]["reasons"][0]["form_token"])


@pytest.mark.parametrize("mode", ["advanced-chat", "workflow"])
async def test_a_run_waits_for_a_person_and_goes_on(house: Served, mode: str) -> None:
    told = Transcript()
    asked = await ask(await approval(house, mode), query="Go")
    heard = await asked.records()
    assert names(heard)[-2:] == ["human_input_required", "workflow_paused"]
    assert live.find(asked.run_id) is None
    run = await Run.objects.aget(pk=asked.run_id)
    assert (run.status, run.process_id, run.last_event_id) == (RunStatus.PAUSED, None, heard[-1][0])
    await lose_logs()
    again = await asked.records()
    assert [one for one in again if one[1]["event"] != "message"] == heard
    await submit(token_of(heard))
    await until_over(asked.run_id)
    rest = await asked.records(after=heard[-1][0])
    assert rest[0][1]["data"]["reason"] == "resumption"
    assert names(rest)[:2] == ["workflow_started", "human_input_form_filled"]
    assert [number for number, _ in rest] == sorted({number for number, _ in rest})
    with pytest.raises(HumanInputFormSubmitted):
        await submit(token_of(heard))
    for number, record in [*heard, *rest]:
        told.add(frame(number, ordered(hidden(record))))
    await note_rows(told, asked)
    told.check(FOLDER / f"{mode.replace('advanced-chat', 'chatflow')}_human_input.txt")


def hidden(record: dict[str, Any]) -> dict[str, Any]:
    """The record without its tokens, which are another one each time."""
    data = record.get("data", {})
    for part in [data, *data.get("reasons", ())]:
        if part.get("form_token"):
            part["form_token"] = "(token)"
    return record


async def upload(app: App, name: str = "u1") -> UploadFile:
    owner = await sync_to_async(end_user)(app, name)
    file = SimpleUploadedFile("paper.txt", b"Once upon a time", "text/plain")
    return await files.keep(await sync_to_async(files.plan)(owner=owner, file=file), file)


async def test_files_of_a_form_are_the_askers_own_and_only_their_reference_counts(house: Served) -> None:
    fields = [{"type": "file", "output_variable_name": "paper"}]
    graph = {
        "nodes": [start(), {**asking(), "data": {**asking()["data"], "inputs": fields}}, end(paper=["form", "paper"])],
        "edges": [edge("start", "form"), edge("form", "end", "yes")],
    }
    app = await sync_to_async(make_flow)(house.cast.alice, graph, "workflow")
    asked = await ask(app)
    token = token_of(await asked.records())
    foreign = await upload(app, "somebody else")
    named = {"type": "document", "transfer_method": "local_file", "dify_model_identity": "__dify__file__", "size": 7}
    for refused in (
        {**named, "upload_file_id": str(foreign.pk)},
        {**named, "related_id": str(foreign.pk)},
        {**named, "transfer_method": "remote_url", "url": "javascript:alert(1)"},
        {**named, "transfer_method": "remote_url", "remote_url": "file:///etc/passwd"},
    ):
        with pytest.raises(InvalidParam):
            await sync_to_async(generation.submit_form)(token, action="yes", inputs={"paper": refused})
    own = await upload(app)
    given = {**named, "upload_file_id": str(own.pk), "url": "javascript:alert(1)", "filename": "forged.txt"}
    await sync_to_async(generation.submit_form)(token, action="yes", inputs={"paper": given})
    await until_over(asked.run_id)
    kept = ((await WorkflowRun.objects.aget(pk=asked.run_id)).outputs or {})["paper"]
    assert (kept["related_id"], kept["filename"], kept["size"]) == (str(own.pk), own.name, own.size)
    assert "javascript" not in kept["url"]


async def test_the_whole_reply_of_a_run_that_waits_says_so(house: Served) -> None:
    chat = await (await ask(await approval(house), query="Go", streaming=False)).whole()
    assert (chat["event"], chat["data"]["status"], chat["data"]["paused_nodes"]) == ("workflow_paused", "paused", ["form"])
    flow = await (await ask(await approval(house, "workflow"), streaming=False)).whole()
    assert (flow["data"]["status"], flow["data"]["finished_at"]) == ("paused", None)
    assert flow["data"]["reasons"][0]["node_id"] == "form"


async def test_a_reader_may_wait_beyond_the_pause(house: Served) -> None:
    asked = await ask(await approval(house), query="Go")
    reading = asyncio.create_task(asked.records(continue_on_pause=True))
    heard = await asked.records()
    await submit(token_of(heard))
    whole = await asyncio.wait_for(reading, 10)
    assert whole[: len(heard)] == heard
    assert names(whole)[-2:] == ["message_end", "workflow_finished"]


async def test_a_form_that_nobody_fills_in_expires_and_its_run_goes_on(house: Served) -> None:
    asked = await ask(await approval(house), query="Go")
    heard = await asked.records()
    await HumanInputForm.objects.aupdate(expires_at="2020-01-01T00:00:00Z")
    assert await sync_to_async(graph_resume.sweep)() == 1
    await until_over(asked.run_id)
    rest = await asked.records(after=heard[-1][0])
    assert names(rest)[:2] == ["workflow_started", "human_input_form_timeout"]
    assert (await Message.objects.aget(run_id=asked.run_id)).answer == "Too late."


async def test_a_run_that_waits_can_be_stopped(house: Served) -> None:
    asked = await ask(await approval(house), query="Go")
    heard = await asked.records()
    assert await sync_to_async(generation.stop)(asked.principal, asked.run_id)
    rest = await asked.records(after=heard[-1][0])
    assert (names(rest)[-1], rest[-1][1]["data"]["status"]) == ("workflow_finished", "stopped")
    assert await NodeExecution.objects.filter(run_id=asked.run_id, status="stopped").acount() == 1
    with pytest.raises(Exception, match="time is over"):
        await submit(token_of(heard))


async def test_two_forms_are_answered_one_after_the_other(house: Served) -> None:
    both = {
        "nodes": [start(), asking("one"), asking("two"), end(one=["one", "why"], two=["two", "why"])],
        "edges": [edge("start", "one"), edge("start", "two"), edge("one", "end", "yes"), edge("two", "end", "yes")],
    }
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, both))
    heard = await asked.records()
    tokens = {one["node_id"]: one["form_token"] for one in heard[-1][1]["data"]["reasons"]}
    await submit(tokens["one"], why="a")
    while not (rest := await asked.records(after=heard[-1][0])) or names(rest)[-1] != "workflow_paused":
        await asyncio.sleep(0.01)
    assert "human_input_required" not in names(rest)
    assert [one["form_token"] for one in rest[-1][1]["data"]["reasons"]] == [tokens["two"]]
    await submit(tokens["two"], why="b")
    run = await until_over(asked.run_id)
    last = await asked.records(after=rest[-1][0])
    assert (run.status, last[-1][1]["data"]["outputs"]) == ("succeeded", {"one": "a", "two": "b"})


async def test_a_process_that_ends_just_after_a_pause_was_answered_takes_nothing_with_it(house: Served) -> None:
    house.upstream.script = Script(hang="before")
    asked = await ask(await approval(house), query="Go")
    heard = await asked.records()
    await submit(token_of(heard))
    while house.upstream.requests == 0:
        await asyncio.sleep(0.01)
    await die(asked.run_id)
    house.upstream.script = Script()
    await reaper.reap()
    await until_over(asked.run_id)
    rest = await asked.records(after=heard[-1][0])
    assert names(rest).count("workflow_started") == names(rest).count("human_input_form_filled") == 1
    assert (await Message.objects.aget(run_id=asked.run_id)).answer == "Because it rains: Hello, world!"


async def test_a_reader_who_comes_during_the_pause_is_told_what_is_asked(house: Served) -> None:
    asked = await ask(await approval(house), query="Go")
    heard = await asked.records()
    for snapshot in (True, False):
        reader = await generation.attach(asked.principal, asked.run_id, snapshot=snapshot)
        found: list[tuple[int, dict[str, Any]]] = []
        while not reader.finished:
            found += await reader.next()
        assert found == (heard if snapshot else heard[-1:])


async def test_an_answer_that_comes_while_the_run_pauses_is_not_lost(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form is there a moment before the pause is kept: by then somebody may have its token."""
    issued = asking_door.issued

    def answered(run_id: Any, event: Any) -> Any:
        shown = issued(run_id, event)
        generation.submit_form(str(shown.form_token), action="no", inputs={"why": ""})
        return shown

    monkeypatch.setattr(asking_door, "issued", answered)
    asked = await ask(await approval(house), query="Go")
    await asked.records()
    assert await sync_to_async(graph_resume.sweep)() == 1
    assert (await until_over(asked.run_id)).status == "succeeded"
    assert (await Message.objects.aget(run_id=asked.run_id)).answer == "No."


async def test_a_run_that_is_about_to_go_on_is_not_taken_for_one_that_nobody_has(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the row that says so and the pump that does it there are queries; the reaper looks whenever it likes."""
    asked = await ask(await approval(house), query="Go")
    heard = await asked.records()
    await Run.objects.filter(pk=asked.run_id).aupdate(created_at=clock.now() - timedelta(days=1))
    plan_of, begun = graph_past.plan_of, list[UUID]()

    def looked_at(run: Run) -> Plan:
        begun.append(run.pk)
        if len(begun) == 1:
            asyncio.run_coroutine_threadsafe(reaper.reap(), loop.current()).result()
        return plan_of(run)

    monkeypatch.setattr(graph_past, "plan_of", looked_at)
    await submit(token_of(heard))
    assert (await until_over(asked.run_id)).status == "succeeded"
    assert begun == [asked.run_id]


async def test_a_run_that_cannot_be_read_for_a_moment_goes_on_later(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_of, failures = graph_past.plan_of, [1]

    def failing(run: Run) -> Plan:
        if failures:
            failures.pop()
            raise OperationalError("The database is away.")
        return plan_of(run)

    asked = await ask(await approval(house), query="Go")
    heard = await asked.records()
    monkeypatch.setattr(graph_past, "plan_of", failing)
    await submit(token_of(heard), action="no")
    await Run.objects.filter(pk=asked.run_id).aupdate(created_at=clock.now() - timedelta(days=1))
    await reaper.reap()
    assert (await until_over(asked.run_id)).status == "succeeded"


async def test_a_stop_that_comes_while_the_run_pauses_ends_it(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    close = graph_record.close

    async def stopped(run: LiveRun, *args: Any, **kwargs: Any) -> bool:
        assert await db.run(generation.stop, principal, run.reply.run_id)
        return await close(run, *args, **kwargs)

    app = await approval(house)
    principal = await sync_to_async(end_user)(app)
    monkeypatch.setattr(graph_record, "close", stopped)
    asked = await ask(app, query="Go")
    run = await until_over(asked.run_id)
    assert run.status == "stopped"
    assert await HumanInputForm.objects.waiting().filter(run_id=asked.run_id).acount() == 0


async def test_an_answer_whose_process_died_with_it_is_found_again(house: Served) -> None:
    asked = await ask(await approval(house), query="Go")
    heard = await asked.records()
    await sync_to_async(forms.submit)(token_of(heard), action="no", inputs={"why": ""})
    live.take_paused()
    assert await sync_to_async(graph_resume.sweep)() == 0
    assert await sync_to_async(graph_resume.sweep_all)() == 1
    assert (await until_over(asked.run_id)).status == "succeeded"
    assert await sync_to_async(graph_resume.sweep_all)() == 0


async def test_people_are_asked_in_each_round_of_a_loop_and_the_talk_gets_its_name_after_the_last(house: Served) -> None:
    inner = [node("first", "loop-start"), asking(), answer("{{#form.why#}}. ", "say")]
    nodes = [start(), node("again", "loop", loop_count=2), *({**one, "parentId": "again"} for one in inner), answer("Done.")]
    graph = {
        "nodes": nodes,
        "edges": [edge("start", "again"), edge("again", "answer"), edge("first", "form"), edge("form", "say", "yes")],
    }
    app = await sync_to_async(make_flow)(house.cast.alice, graph, "advanced-chat")
    principal = await sync_to_async(end_user)(app)
    house.upstream.script = Script(tokens=["A name"])
    run_id = await sync_to_async(generation.generate)(principal, app, generation.GenerateRequest(query="Go"))
    asked, text = Asked(principal, run_id), ""
    heard = await asked.records()
    for why in ("one", "two"):
        assert names(heard)[-2:] == ["human_input_required", "workflow_paused"]
        await submit(token_of(heard), why=why)
        more = asyncio.create_task(asked.records(after=heard[-1][0]))
        heard += await asyncio.wait_for(more, 5)
    for _, record in heard:
        if record["event"] in ("message", "message_replace"):
            text = record["answer"] if record["event"] == "message_replace" else text + record["answer"]
    message = await Message.objects.select_related("conversation").aget(run_id=run_id)
    assert text == message.answer == "one. two. Done."
    assert [names(heard).count(one) for one in ("loop_started", "loop_next", "loop_completed")] == [1, 1, 1]
    rounds = NodeExecution.objects.filter(run_id=run_id, node_id="form").order_by("round")
    assert [(one.round, one.status, (one.outputs or {})["why"]) async for one in rounds] == [
        (0, "succeeded", "one"), (1, "succeeded", "two")
    ]  # fmt: skip
    async with asyncio.timeout(5):
        while not (await Message.objects.select_related("conversation").aget(run_id=run_id)).conversation.name:
            await asyncio.sleep(0.02)
