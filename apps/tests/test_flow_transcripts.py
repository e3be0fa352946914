"""Golden transcripts of workflows and chatflows: every byte of the answer, ids and times aside, and what the rows hold."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps import generation
from apps.generation import live
from apps.models import App, Message, Run
from difyproj.infra import backends
from difyproj.kernel import jsonio
from difyproj.kernel.errors import DomainError
from difyproj.kernel.principal import Tier
from difyproj.testing.served import Served
from difyproj.testing.transcripts import Transcript
from difyproj.testing.upstream import Script
from difyproj.tiers.streaming import frame
from workflows.models import NodeExecution, WorkflowRun

from .flows import Asked, answer, ask, edge, end, llm, make_flow, node, row, start, template, text_input
from .restart import lose_logs

FOLDER = Path(__file__).parent / "transcripts"

SUMMARY = row(
    start(text_input("word")), template("shape", "<{{ word }}>", word=["start", "word"]), llm(text="{{#shape.output#}}"),
    end(text=["llm", "text"], shaped=["shape", "output"]),
)  # fmt: skip
TALK = row(start(), llm(), answer("You said {{#sys.query#}}. {{#llm.text#}}"))


def container(kind: str, **data: Any) -> dict[str, Any]:
    """A graph whose container shouts each item."""
    child = {f"{kind}_id": "each", "isInIteration" if kind == "iteration" else "isInLoop": True}
    inner = [node("each-start", f"{kind}-start", **child), template("shout", "{{ item }}!", item=data.pop("item"))]
    inner[1]["data"].update(child)
    inner = [{**one, "parentId": "each"} for one in inner]
    outer = [start(), node("each", kind, start_node_id="each-start", **data), end(said=["each", data.pop("gives", "output")])]
    return {
        "nodes": [*outer, *inner],
        "edges": [edge("start", "each"), edge("each", "end"), edge("each-start", "shout")],
    }


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def tell(told: Transcript, asked: Asked, *, after: int = 0, from_rows: bool = False) -> None:
    for number, record in await asked.records(after=after):
        told.add(frame(number, ordered(record) if from_rows else record))


def ordered(value: Any) -> Any:
    """As every database gives it: PostgreSQL keeps no order of keys."""
    if isinstance(value, dict):
        return {name: ordered(value[name]) for name in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


async def note_rows(told: Transcript, asked: Asked) -> None:
    run = await Run.objects.aget(pk=asked.run_id)
    flow = await WorkflowRun.objects.aget(pk=asked.run_id)
    told.note(f"run: {run.status} {run.error_code} {run.error}".rstrip())
    told.note(
        f"workflow run: {flow.version[:5]} {flow.triggered_from} steps={flow.total_steps} "
        f"exceptions={flow.exceptions_count} outputs={jsonio.dumps_text(ordered(flow.outputs))}"
    )
    async for one in NodeExecution.objects.filter(run_id=asked.run_id):
        place = f" in {one.container_id}[{one.round}]" if one.container_id else ""
        told.note(f"node {one.index}: {one.node_id}{place} {one.status} {one.error}".rstrip())
    message = await Message.objects.filter(run_id=asked.run_id).afirst()
    if message is not None:
        told.note(f"message: {message.status} {message.answer!r} error={message.error!r}")


async def act(app: App, name: str, *, tier: Tier = Tier.SERVICE, **fields: Any) -> None:
    """Ask in both modes and compare each with its file."""
    told = Transcript()
    asked = await ask(app, tier=tier, **fields)
    await tell(told, asked)
    await note_rows(told, asked)
    told.check(FOLDER / f"{name}_streaming.txt")
    told = Transcript()
    asked = await ask(app, tier=tier, streaming=False, **fields)
    try:
        told.add(jsonio.dumps_text(await asked.whole()))
    except DomainError as error:
        told.note(f"{error.status} {error.code} {error.message}")
    await note_rows(told, asked)
    told.check(FOLDER / f"{name}_blocking.txt")


async def flow(house: Served, graph: Mapping[str, Any], mode: str = "workflow", **parts: Any) -> App:
    return await sync_to_async(make_flow)(house.cast.alice, graph, mode, **parts)


async def test_a_workflow(house: Served) -> None:
    house.upstream.script = Script(tokens=["Grüß ", "Gott"])
    await act(await flow(house, SUMMARY), "workflow_plain", inputs={"word": "whale"})


async def test_a_workflow_for_visitors_of_a_page(house: Served) -> None:
    await act(await flow(house, SUMMARY), "workflow_web", tier=Tier.WEB, inputs={"word": "whale"})


async def test_a_workflow_whose_model_fails(house: Served) -> None:
    house.upstream.script = Script(fail=400, fail_message="The parameter x is wrong.")
    await act(await flow(house, SUMMARY), "workflow_failed", inputs={"word": "whale"})


async def test_a_chatflow(house: Served) -> None:
    await act(await flow(house, TALK, "advanced-chat"), "chatflow_plain", query="Hi")


async def test_a_chatflow_whose_model_fails(house: Served) -> None:
    house.upstream.script = Script(fail=400, fail_message="The parameter x is wrong.")
    await act(await flow(house, TALK, "advanced-chat"), "chatflow_failed", query="Hi")


async def test_a_failure_that_has_its_own_way(house: Served) -> None:
    house.upstream.script = Script(fail=400, fail_message="The parameter x is wrong.")
    nodes = [start(), llm(error_strategy="fail-branch"), answer("fine"), answer("sorry: {{#llm.error_message#}}", "sorry")]
    edges = [edge("start", "llm"), edge("llm", "answer", "success-branch"), edge("llm", "sorry", "fail-branch")]
    await act(await flow(house, {"nodes": nodes, "edges": edges}, "advanced-chat"), "chatflow_fail_branch", query="Hi")


async def test_a_node_that_is_tried_again(house: Served) -> None:
    house.upstream.script = Script(fail=400, fail_message="The parameter x is wrong.")
    tried = llm(retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 1})
    await act(await flow(house, row(start(), tried, end())), "workflow_retried")


async def test_an_iteration(house: Served) -> None:
    item = {"variable": "items", "label": "items", "type": "json_object", "required": True}
    graph = container(
        "iteration", item=["each", "item"], iterator_selector=["start", "items", "list"], output_selector=["shout", "output"],
        output_type="array[string]",
    )  # fmt: skip
    graph["nodes"][0] = start(item)
    await act(await flow(house, graph), "workflow_iteration", inputs={"items": {"list": ["a", "b"]}})


async def test_a_loop(house: Served) -> None:
    variables = [{"id": "v", "label": "word", "var_type": "string", "value_type": "constant", "value": "go"}]
    graph = container(
        "loop", item=["each", "word"], gives="loop_round", loop_count=2, break_conditions=[], logical_operator="and",
        loop_variables=variables,
    )  # fmt: skip
    await act(await flow(house, graph), "workflow_loop")


async def test_a_run_that_is_stopped(house: Served) -> None:
    house.upstream.script = Script(tokens=["One", " two"], delay=0.1, hang="end")
    for mode, graph, query in (("workflow", SUMMARY, ""), ("advanced-chat", TALK, "Hi")):
        app = await flow(house, graph, mode)
        told = Transcript()
        asked = await ask(app, query=query, inputs={"word": "whale"})
        telling = asyncio.create_task(tell(told, asked))
        while not (run := live.find(asked.run_id)) or not run.state.answer.endswith(" two"):
            await asyncio.sleep(0.01)
        assert await sync_to_async(generation.stop)(asked.principal, asked.run_id)
        await asyncio.wait_for(telling, 5.0)
        await note_rows(told, asked)
        told.check(FOLDER / f"{mode.replace('advanced-chat', 'chatflow')}_stopped_streaming.txt")


async def test_a_run_that_is_read_again(house: Served) -> None:
    for mode, graph, query in (("workflow", SUMMARY, ""), ("advanced-chat", TALK, "Hi")):
        app = await flow(house, graph, mode)
        told = Transcript()
        asked = await ask(app, query=query, inputs={"word": "whale"})
        told.note("the first reader")
        seen = await asked.records()
        for number, record in seen:
            told.add(frame(number, record))
        middle = seen[len(seen) // 2][0]
        told.note("from the log, from the middle on")
        await tell(told, asked, after=middle)
        await lose_logs()
        for note, after in (("beginning", 0), ("middle", middle), ("end", seen[-1][0])):
            told.note(f"from the rows, from the {note} on")
            await tell(told, asked, after=after, from_rows=True)
        told.check(FOLDER / f"{mode.replace('advanced-chat', 'chatflow')}_resumed.txt")
