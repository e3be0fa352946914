"""What a request may ask of a graph: which version, with which inputs, files and conversation; and readers who come later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps import generation
from apps.generation import DRAFT, GenerateRequest, Once, background, live, reaper, titles
from apps.models import App, Conversation, Message, MessageFile, Run
from apps.models.token import TokenKind
from apps.services import tokens
from difyproj.infra import backends
from difyproj.infra.backends import get_slots
from difyproj.kernel import ids
from difyproj.kernel.errors import AppUnavailable, BadRequest, InvalidParam, WorkflowNotFound
from difyproj.kernel.principal import Tier
from difyproj.testing.queries import counted
from difyproj.testing.served import Key, Served
from difyproj.testing.upstream import Script
from workflows.models import ConversationVariable, NodeExecution, Workflow, WorkflowRun
from workflows.services import drafts, versions

from .flows import (
    ECHO,
    Asked,
    answer,
    ask,
    end,
    end_user,
    llm,
    make_flow,
    names,
    node,
    publish,
    row,
    start,
    template,
    text_input,
)
from .restart import lose_logs
from .test_file_upload import upload
from .test_flow_crashes import said
from .test_transcripts import moderation

QUERY = ["sys", "query"]
TALK = row(start(), llm(), answer("{{#llm.text#}}"))
BROKEN_TALK = row(start(), answer("Well.", "first"), template("n", "{{ 1 // 0 }}"), answer("Never."))


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def flow(house: Served, graph: Any, mode: str = "workflow", **parts: Any) -> App:
    return await sync_to_async(make_flow)(house.cast.alice, graph, mode, **parts)


async def outputs(asked: Asked) -> Any:
    return (await asked.whole())["data"]["outputs"]


async def test_a_run_takes_the_published_version_the_draft_or_one_by_its_id(house: Served) -> None:
    app = await flow(house, row(start(), template("n", "it"), end(v=["sys", "app_id"])))
    first = await sync_to_async(versions.newest)(app)
    assert first is not None
    await sync_to_async(publish)(app, row(start(), end(v=["sys", "user_id"])))
    await sync_to_async(drafts.save)(app, by=None, given_hash=None, graph=row(start(), end(v=["sys", "workflow_id"])))
    assert await outputs(await ask(app)) == {"v": "u1"}
    assert await outputs(await ask(app, target=str(first.pk))) == {"v": str(app.pk)}
    draft = await ask(app, target=DRAFT)
    kept = await WorkflowRun.objects.aget(pk=draft.run_id)
    assert await outputs(draft) == {"v": str(kept.workflow_id)}
    assert (kept.version, kept.triggered_from) == ("draft", "debugging")
    assert kept.graph is not None and len(kept.graph["nodes"]) == 2
    for target, refusal in (("nonsense", BadRequest), (str(ids.new_id()), WorkflowNotFound)):
        with pytest.raises(refusal):
            await ask(app, target=target)


async def test_an_app_without_a_published_version_is_unavailable(house: Served) -> None:
    app = await flow(house, ECHO)
    await Workflow.objects.filter(app=app).adelete()
    with pytest.raises(AppUnavailable):
        await ask(app, inputs={"word": "x"})


@pytest.mark.parametrize(
    ("fields", "value", "reason"),
    [
        ({"required": True}, None, "is required"),
        ({"max_length": 3}, "long", "at most 3 characters"),
        ({"type": "select", "options": ["a", "b"]}, "c", "must be one of these"),
        ({"type": "number"}, "no", "must be a number"),
        ({"type": "json_object", "json_schema": {"required": ["x"]}}, {"y": 1}, "does not fit its JSON schema"),
        ({"type": "json_object", "json_schema": '{"required": ["x"]}'}, {"y": 1}, "does not fit its JSON schema"),
        ({"type": "file"}, "no", "must be a file object"),
    ],
)
async def test_inputs_are_held_to_the_form_of_the_start(house: Served, fields: Any, value: Any, reason: str) -> None:
    app = await flow(house, row(start({**text_input("word"), **fields}), end()))
    with pytest.raises(InvalidParam, match=reason):
        await ask(app, inputs={} if value is None else {"word": value})
    assert not await Run.objects.aexists()


async def test_files_of_inputs_and_of_the_question_reach_the_model(house: Served) -> None:
    vision = {"enabled": True, "configs": {"detail": "low", "variable_selector": ["start", "picture"]}}
    variable = {"variable": "picture", "type": "file", "label": "p", "required": True}
    app = await flow(house, row(start(variable), llm(text="See", vision=vision), end()))
    _, token = await sync_to_async(tokens.create)(tenant=app.tenant, app=app, kind=TokenKind.APP)
    file_id = (await upload(house, key=Key(app, token))).json()["id"]
    picture = {"type": "image", "transfer_method": "local_file", "upload_file_id": file_id}
    records = await (await ask(app, inputs={"picture": picture})).records()
    mapped = records[0][1]["data"]["inputs"]["picture"]
    assert (mapped["related_id"], mapped["extension"], mapped["dify_model_identity"]) == (file_id, ".png", "__dify__file__")
    assert records[-1][1]["data"]["status"] == "succeeded"
    content = house.upstream.last.body["messages"][-1]["content"]
    assert [part["image_url"]["detail"] for part in content if part["type"] == "image_url"] == ["low"]
    with pytest.raises(InvalidParam, match="Invalid upload file"):
        await ask(app, inputs={"picture": {**picture, "upload_file_id": str(ids.new_id())}})


async def test_a_conversation_goes_on_with_its_history_and_its_variables(house: Served) -> None:
    item = {"variable_selector": ["conversation", "asked"], "input_type": "variable", "operation": "append"}
    memory = {"window": {"enabled": False}, "query_prompt_template": "{{#sys.query#}}"}
    graph = row(
        start(), llm(text="Be kind.", memory=memory), node("keep", "assigner", version="2", items=[{**item, "value": QUERY}]),
        answer("{{#conversation.asked#}} {{#sys.dialogue_count#}} {{#llm.text#}}"),
    )  # fmt: skip
    variables = [{"id": str(ids.new_id()), "name": "asked", "value_type": "array[string]", "value": []}]
    app = await flow(house, graph, "advanced-chat", conversation_variables=variables)
    first = await (await ask(app, query="one")).whole()
    assert first["answer"] == "- one 0 Hello, world!"
    second = await (await ask(app, query="two", conversation_id=first["conversation_id"])).whole()
    assert second["answer"] == "- one\n- two 1 Hello, world!"
    kept = await ConversationVariable.objects.aget(conversation_id=first["conversation_id"])
    assert (kept.name, kept.value, kept.value_type) == ("asked", ["one", "two"], "array[string]")
    told = [message["content"] for message in house.upstream.last.body["messages"]]
    assert told[-3:] == ["one", "- one 0 Hello, world!", "two"]
    assert await Message.objects.filter(conversation_id=first["conversation_id"]).acount() == 2


async def test_secrets_of_the_environment_reach_nodes_and_no_trace(house: Served) -> None:
    secret = {"id": str(ids.new_id()), "name": "key", "value_type": "secret", "value": "sk-very-secret"}
    graph = row(start(), llm(text="Use {{#env.key#}}"), end(text=["llm", "text"]))
    app = await flow(house, graph, environment_variables=[secret])
    asked = await ask(app)
    records = await asked.records()
    assert house.upstream.last.body["messages"][-1]["content"] == "Use sk-very-secret"
    assert "sk-very-secret" not in str(records)
    traced = [one async for one in NodeExecution.objects.filter(run_id=asked.run_id)]
    assert "sk-very-secret" not in str([(one.inputs, one.process_data, one.outputs) for one in traced])


async def test_a_key_gives_the_same_run_again(house: Served) -> None:
    app = await flow(house, ECHO)
    principal = await sync_to_async(end_user)(app)
    request, once = GenerateRequest(inputs={"word": "x"}), Once("scope", "key", "hash")
    first = await sync_to_async(generation.generate)(principal, app, request, once=once)
    assert await sync_to_async(generation.generate)(principal, app, request, once=once) == first
    assert await Run.objects.acount() == await WorkflowRun.objects.acount() == 1
    await Asked(principal, first).whole()


async def test_an_answer_that_is_moderated_ends_the_run(house: Served) -> None:
    app = await flow(house, TALK, "advanced-chat", features={"sensitive_word_avoidance": moderation("outputs_config")})
    house.upstream.script = Script(tokens=["It is ", "for", "bid", "den", " to say."], delay=0.05)
    asked = await ask(app, query="Hi")
    body = await asked.whole()
    assert body["answer"] == "Let us talk of something else."
    assert (await Message.objects.aget(run_id=asked.run_id)).answer == body["answer"]
    assert not await NodeExecution.objects.filter(run_id=asked.run_id, status="running").aexists()


async def test_an_answer_is_spoken_while_it_is_made(house: Served) -> None:
    speech = {"text_to_speech": {"enabled": True, "voice": "alloy", "autoPlay": "enabled"}}
    app = await flow(house, TALK, "advanced-chat", features=speech)
    heard = names(await (await ask(app, query="Hi")).records())
    assert "tts_message" in heard and heard.index("tts_message_end") < heard.index("workflow_finished")


async def test_a_run_is_stopped_within_a_second(house: Served) -> None:
    house.upstream.script = Script(tokens=["One", " two"], delay=0.05, hang="end")
    app = await flow(house, row(start(), llm(text="x"), end(text=["llm", "text"])))
    asked = await ask(app)
    reading = asyncio.create_task(asked.records())
    await said(asked, " two")
    stranger = await sync_to_async(end_user)(app, "u2")
    assert get_slots().active(f"app:{app.pk}") == 1
    assert await sync_to_async(generation.stop)(stranger, asked.run_id)
    heard = await asyncio.wait_for(reading, 1.0)
    assert heard[-1][1]["data"]["status"] == "stopped"
    assert get_slots().active(f"app:{app.pk}") == 0
    assert await NodeExecution.objects.filter(run_id=asked.run_id, status="stopped").acount() == 1


async def test_another_person_cannot_stop_a_chatflow(house: Served) -> None:
    house.upstream.script = Script(tokens=["One"], hang="end")
    app = await flow(house, TALK, "advanced-chat")
    asked = await ask(app, query="Hi")
    await said(asked, "One")
    assert not await sync_to_async(generation.stop)(await sync_to_async(end_user)(app, "u2"), asked.run_id)
    assert live.find(asked.run_id) is not None


async def test_a_reader_who_comes_later_gets_the_end_of_a_run_that_is_over(house: Served) -> None:
    asked = await ask(await flow(house, ECHO), inputs={"word": "x"})
    whole = await asked.records()
    late = await generation.attach(asked.principal, asked.run_id, snapshot=True)
    assert [await late.next(), late.finished] == [whole[-1:], True]


@pytest.mark.parametrize(("graph", "status"), [(TALK, "succeeded"), (BROKEN_TALK, "failed")])
async def test_of_a_chatflow_that_is_over_a_late_reader_is_told_the_end_of_the_graph_alone(
    house: Served, graph: Mapping[str, Any], status: str
) -> None:
    asked = await ask(await flow(house, graph, "advanced-chat"), query="Hi")
    whole = await asked.records()
    for _ in range(2):
        late = await generation.attach(asked.principal, asked.run_id)
        ((number, record),) = await late.next()
        assert (record["event"], record["data"]["status"]) == ("workflow_finished", status)
        assert late.finished and number == whole[-1][0]
        await lose_logs()


async def test_a_reader_who_comes_in_between_gets_the_rest_or_all(house: Served) -> None:
    house.upstream.script = Script(tokens=["One", " two"], delay=0.05, hang="end")
    asked = await ask(await flow(house, row(start(), llm(text="x"), end(text=["llm", "text"]))))
    await said(asked, " two")
    for snapshot in (True, False):
        reader = await generation.attach(asked.principal, asked.run_id, snapshot=snapshot)
        first = await reader.next(0.2)
        assert (names(first)[:1] == ["workflow_started"]) is snapshot and bool(first) is snapshot
        reader.cancel()


async def test_a_warm_app_is_asked_with_few_queries(house: Served) -> None:
    app = await flow(house, ECHO)
    await (await ask(app, inputs={"word": "x"})).whole()
    principal = await sync_to_async(end_user)(app)

    with counted() as queries:
        run_id = await sync_to_async(generation.generate)(principal, app, GenerateRequest(inputs={"word": "x"}))
        await Asked(principal, run_id).whole()
    # Background work looks for runs and forms meanwhile.
    read = [query for query in queries if query.startswith("SELECT") and "status" not in query]
    assert not read


async def test_visitors_are_told_no_values_of_nodes(house: Served) -> None:
    asked = await ask(await flow(house, ECHO), tier=Tier.WEB, inputs={"word": "x"})
    nodes = [record["data"] for _, record in await asked.records() if record["event"] == "node_finished"]
    assert nodes and all(one["inputs"] is one["outputs"] is one["execution_metadata"] is None for one in nodes)


async def test_a_new_chatflow_conversation_belongs_to_who_began_it(house: Served) -> None:
    asked = await ask(await flow(house, TALK, "advanced-chat"), query="Hi")
    await asked.whole()
    talk = await Conversation.objects.aget()
    assert (talk.mode, talk.end_user_id) == ("advanced-chat", asked.principal.actor_id)


async def test_a_new_conversation_of_a_chatflow_gets_a_name(house: Served) -> None:
    house.upstream.script = Script(tokens=["Whale talk"])
    app = await flow(house, TALK, "advanced-chat")
    principal = await sync_to_async(end_user)(app)
    run_id = await sync_to_async(generation.generate)(principal, app, GenerateRequest(query="Tell me of whales"))
    await Asked(principal, run_id).whole()
    await titles.settle(5.0)
    assert (await Conversation.objects.aget()).name == "Whale talk"


async def test_a_job_runs_a_graph_to_its_end(house: Served) -> None:
    app = await flow(house, row(start(), llm(text="x"), end(text=["llm", "text"])))
    principal = await sync_to_async(end_user)(app)
    request = GenerateRequest(streaming=False, triggered_from="schedule")
    run_id = await asyncio.to_thread(generation.run_to_end, principal, app, request)
    assert (await Run.objects.aget(pk=run_id)).status == "succeeded"
    assert (await WorkflowRun.objects.aget(pk=run_id)).triggered_from == "schedule"


async def test_a_process_that_is_told_to_end_leaves_its_graphs_to_the_next(house: Served) -> None:
    house.upstream.script = Script(tokens=["One"], hang="end")
    asked = await ask(await flow(house, TALK, "advanced-chat"), query="Hi")
    await said(asked, "One")
    await background._drain(background.DRAIN_SECONDS)
    assert live.find(asked.run_id) is None
    assert (await Run.objects.aget(pk=asked.run_id)).status == "running"
    house.upstream.script = Script(tokens=["Two"])
    await Run.objects.aupdate(process_id=ids.new_id())
    await reaper.reap()
    while (run := await Run.objects.aget(pk=asked.run_id)).status == "running":
        await asyncio.sleep(0.01)
    assert (run.status, (await Message.objects.aget(run=run)).answer) == ("succeeded", "Two")


async def test_files_that_an_answer_shows_stand_at_its_end(house: Served) -> None:
    uploads = {"file_upload": {"enabled": True, "allowed_file_types": ["image"], "number_limits": 1}}
    app = await flow(house, row(start(), answer("{{#sys.files#}}")), "advanced-chat", features=uploads)
    dog = generation.FileInput("image", "remote_url", url="https://example.com/dog.jpg")
    asked = await ask(app, query="Hi", files=[dog])
    records = await asked.records()
    (ending,) = [record for _, record in records if record["event"] == "message_end"]
    assert [(file["type"], file["remote_url"]) for file in ending["files"]] == [("image", "https://example.com/dog.jpg")]
    message = await Message.objects.aget(run_id=asked.run_id)
    assert message.answer == "![dog.jpg](https://example.com/dog.jpg)"
    rows = MessageFile.objects.filter(message=message).values_list("belongs_to", "type", "url", "transfer_method")
    assert [row async for row in rows] == [(whose, "image", dog.url, "remote_url") for whose in ("user", "assistant")]
