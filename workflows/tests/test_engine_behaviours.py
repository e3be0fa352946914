"""How Dify's graphs behave, example by example: outputs, the order of streamed text, skipped branches, errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from difyproj.kernel.errors import CompletionRequestError
from difyproj.model_runtime.base import ModelRequest
from difyproj.testing.fakes import KeptFiles, Script, ScriptedModels, scripted, visible
from workflows.engine.events import NodeFinished, NodeStarted, RunEvent, RunFailed, RunFinished, TextChunk
from workflows.engine.ports import Ports

from .graphs import LLM, chain, events_of, graph, short
from .graphs_inside import iteration, loop

QUERY = ["start", "query"]
TALK = {**LLM, "prompt_template": [{"role": "user", "text": "{{#sys.query#}}"}]}
HELLO = {"variable_selector": QUERY, "comparison_operator": "contains", "value": "hello"}


def end(*names: str, **selectors: Sequence[str]) -> dict[str, Any]:
    chosen = {**{name: [name, "text"] for name in names}, **selectors}
    return {"outputs": [{"variable": name, "value_selector": list(selector)} for name, selector in chosen.items()]}


def branch(selector: Sequence[str], value: str, operator: str = "is") -> dict[str, Any]:
    condition = {"variable_selector": list(selector), "comparison_operator": operator, "value": value}
    return {"cases": [{"case_id": "true", "conditions": [condition]}]}


def order(events: Sequence[RunEvent]) -> str:
    """``NS`` a node starts, ``OK`` it succeeds, ``C`` a chunk."""
    words = {NodeStarted: "NS", TextChunk: "C", NodeFinished: "OK"}
    return " ".join(words[type(event)] for event in events if type(event) in words)


def finished(events: Sequence[RunEvent]) -> RunFinished:
    last = events[-1]
    assert isinstance(last, RunFinished), last
    return last


@pytest.mark.parametrize("query", ["hello", "", "多言語 🌍", "x" * 5000])
async def test_what_comes_in_goes_out(query: str) -> None:
    tree = chain(("end", "end", end(query=QUERY)))
    events = await events_of(tree, scripted(), inputs={"query": query})
    assert finished(events).outputs == {"query": query}
    assert order(events) == ("NS C OK NS OK" if query else "NS OK NS OK")
    assert visible(events) == query


@pytest.mark.parametrize(
    ("query", "way"), [("hello", "true"), ("say hello!", "true"), ("Hello", "false"), ("", "false"), ("helo", "false")]
)
async def test_only_the_end_of_the_taken_branch_gives_outputs(query: str, way: str) -> None:
    tree = graph(
        ("start", "start", {}),
        ("if", "if-else", {"cases": [{"case_id": "true", "conditions": [HELLO]}]}),
        ("yes", "end", end(true=QUERY)),
        ("no", "end", end(false=QUERY)),
        edges=["start -> if", "if:true -> yes", "if:false -> no"],
    )
    assert finished(await events_of(tree, scripted(), inputs={"query": query})).outputs == {way: query}


async def test_text_around_a_question_comes_in_three_chunks_before_the_start_succeeds() -> None:
    tree = chain(("answer", "answer", {"answer": "prefix{{#sys.query#}}suffix"}))
    events = await events_of(tree, scripted(), query="Hello, AI!")
    assert order(events) == "NS C C C OK NS OK"
    assert finished(events).outputs["answer"] == "prefixHello, AI!suffix"


async def test_a_chatflow_streams_its_model_word_by_word() -> None:
    tree = chain(("llm", "llm", TALK), ("answer", "answer", {"answer": "{{#llm.text#}}"}))
    events = await events_of(tree, scripted("Hi ", "there ", "you"), query="x")
    assert order(events) == "NS OK NS C C C OK NS OK"
    assert finished(events).outputs == {"answer": "Hi there you", "files": []}


async def test_a_chatflow_whose_model_fails_answers_with_the_default() -> None:
    fallback = {
        "error_strategy": "default-value",
        "default_value": [{"key": "text", "type": "string", "value": "fallback response"}],
    }
    tree = chain(("llm", "llm", {**TALK, **fallback}), ("answer", "answer", {"answer": "{{#llm.text#}}"}))
    events = await events_of(tree, scripted(CompletionRequestError("No.")), query="x")
    last = finished(events)
    assert (last.status, last.exceptions_count, last.answer) == ("partial-succeeded", 1, "fallback response")
    assert [event.status for event in events if isinstance(event, NodeFinished)] == ["succeeded", "exception", "succeeded"]


async def test_a_workflow_may_call_an_output_answer() -> None:
    tree = chain(("llm", "llm", TALK), ("end", "end", end(answer=["llm", "text"])))
    assert finished(await events_of(tree, scripted("Hi"), query="x")).outputs == {"answer": "Hi"}


async def test_a_node_error_without_a_strategy_fails_the_run() -> None:
    events = await events_of(
        chain(("llm", "llm", TALK), ("end", "end", end("llm"))), scripted(CompletionRequestError("No.")), query="x"
    )
    assert isinstance(events[-1], RunFailed) and events[-1].node_id == "llm"


@pytest.mark.parametrize(("blocking", "chunks"), [("1", ["q", "\n", "whole"]), ("0", ["q", "\n", "a ", "b"])])
async def test_an_end_streams_its_values_line_by_line(blocking: str, chunks: list[str]) -> None:
    tree = graph(
        ("start", "start", {}),
        ("if", "if-else", branch(["start", "blocking"], "1")),
        ("fixed", "act", {"value": "whole"}),
        ("llm", "llm", LLM),
        ("one", "end", end(query=QUERY, text=["fixed", "value"])),
        ("two", "end", end(query=QUERY, text=["llm", "text"])),
        edges=["start -> if", "if:true -> fixed", "if:false -> llm", "fixed -> one", "llm -> two"],
    )
    events = await events_of(tree, scripted("a ", "b"), inputs={"query": "q", "blocking": blocking})
    told = [event for event in events if isinstance(event, TextChunk)]
    assert [event.text for event in told] == chunks
    assert tuple(told[0].selector) == ("start", "query")


async def test_an_end_leaves_out_what_does_not_exist() -> None:
    tree = chain(("end", "end", end(no=["nowhere", "x"], query=QUERY, nothing=[])))
    events = await events_of(tree, scripted(), inputs={"query": "q"})
    assert finished(events).outputs == {"no": None, "query": "q", "nothing": None}
    assert visible(events) == "\nq"


def _by_name(request: ModelRequest) -> Script:
    texts = {"two": ("你好 ", 0.01, "我是AI助手。"), "one": ("Hello, I am ", "an AI assistant.")}
    return texts[str(request.messages[-1].content)]


async def test_the_second_model_of_a_template_waits_for_the_first_though_it_is_faster() -> None:
    tree = graph(
        ("start", "start", {}),
        *((name, "llm", {**LLM, "prompt_template": [{"role": "user", "text": name}]}) for name in ("one", "two")),
        ("answer", "answer", {"answer": "{{#two.text#}}{{#one.text#}}"}),
        edges=["start -> one", "start -> two", "one -> answer", "two -> answer"],
    )
    events = await events_of(tree, Ports(ScriptedModels(_by_name), KeptFiles()))
    assert visible(events) == "你好 我是AI助手。Hello, I am an AI assistant."


@pytest.mark.parametrize(("query", "wanted"), [("hello world", "contains 'hello'words"), ("other", "words")])
async def test_two_answers_are_joined_when_both_are_reached(query: str, wanted: str) -> None:
    tree = graph(
        ("start", "start", {}),
        ("if", "if-else", branch(["sys", "query"], "hello", "contains")),
        ("llm", "llm", TALK),
        ("known", "answer", {"answer": "contains 'hello'"}),
        ("told", "answer", {"answer": "{{#llm.text#}}"}),
        edges=["start -> if", "start -> llm", "if:true -> known", "llm -> told"],
    )
    events = await events_of(tree, scripted("words"), query=query)
    assert finished(events).outputs["answer"] == visible(events) == wanted


async def test_answers_in_a_row_speak_in_their_row() -> None:
    tree = chain(
        ("llm", "llm", TALK),
        ("one", "answer", {"answer": "--- answer 1 ---\n\nfoo\n"}),
        ("two", "answer", {"answer": "--- answer 2 ---\n\n{{#llm.text#}}\n"}),
    )
    events = await events_of(tree, scripted("mocked ", "llm text"), query="")
    assert isinstance(events[-1], RunFailed), "a prompt without a word in it is refused"
    events = await events_of(tree, scripted("mocked ", "llm text"), query="x")
    assert finished(events).answer == visible(events) == "--- answer 1 ---\n\nfoo\n--- answer 2 ---\n\nmocked llm text\n"


@pytest.mark.parametrize("one", [0, 1])
@pytest.mark.parametrize("two", [0, 1])
async def test_two_switches_join_in_one_aggregator(one: int, two: int) -> None:
    nodes: list[tuple[str, str, Any]] = [("start", "start", {})]
    edges, groups = [], []
    for name in ("1", "2"):
        nodes += [(f"if{name}", "if-else", branch(["start", f"switch{name}"], "1"))]
        for way, word in (("true", "on"), ("false", "off")):
            nodes.append((f"{word}{name}", "act", {"value": f"switch {name} {word}"}))
            edges += [f"if{name}:{way} -> {word}{name}", f"{word}{name} -> join"]
        edges.append(f"start -> if{name}")
        groups.append({"group_name": f"Group{name}", "variables": [[f"on{name}", "value"], [f"off{name}", "value"]]})
    nodes.append(("join", "variable-aggregator", {"advanced_settings": {"group_enabled": True, "groups": groups}}))
    nodes.append(("end", "end", end(group1=["join", "Group1", "output"], group2=["join", "Group2", "output"])))
    tree = graph(*nodes, edges=[*edges, "join -> end"])
    events = await events_of(tree, scripted(), inputs={"switch1": str(one), "switch2": str(two)})
    words = ("off", "on")
    assert finished(events).outputs == {"group1": f"switch 1 {words[one]}", "group2": f"switch 2 {words[two]}"}


@pytest.mark.parametrize("parallel", [False, True])
async def test_an_iteration_formats_each_item(parallel: bool) -> None:
    body = ("say", "answer", {"answer": "output: {{#each.item#}}"})
    tree = iteration(
        body, after=[("end", "end", end(output=["each", "output"]))], output_selector=["say", "answer"], is_parallel=parallel
    )
    for _ in range(5):
        events = await events_of(tree, scripted(), inputs={"items": [1, 2, 3]})
        assert finished(events).outputs["output"] == ["output: 1", "output: 2", "output: 3"]


async def test_a_loop_of_searches_answers_with_a_list() -> None:
    collect = {"items": [{"variable_selector": ["again", "found"], "operation": "append", "value": ["tool", "value"]}]}
    tree = loop(
        ("tool", "act", {"value": "mocked search result"}),
        ("collect", "assigner", collect),
        after=[("answer", "answer", {"answer": "{{#again.found#}}"})],
        loop_count=2,
        loop_variables=[{"label": "found", "var_type": "array[string]", "value": "[]"}],
    )
    events = await events_of(tree, scripted())
    assert finished(events).answer == "- mocked search result\n- mocked search result"
    assert sum(isinstance(event, TextChunk) for event in events) == 1


X = ["conversation", "x"]
SECOND = {"version": "2", "items": [{"variable_selector": X, "operation": "over-write", "value": ["sys", "query"]}]}
FIRST = {"assigned_variable_selector": X, "input_variable_selector": ["sys", "query"], "write_mode": "over-write"}


@pytest.mark.parametrize("data", [FIRST, SECOND])
async def test_an_answer_shows_the_new_value_of_a_conversation_variable(data: dict[str, Any]) -> None:
    tree = chain(("set", "assigner", data), ("answer", "answer", {"answer": "Now: {{#conversation.x#}}"}))
    events = await events_of(tree, scripted(), query="new value", conversation={"x": "old"})
    assert short(events) == "+start -start +set 'Now: ' 'new value' -set +answer -answer RunFinished"


async def test_an_answer_behind_an_iteration_shows_what_it_assigned() -> None:
    data = {"items": [{"variable_selector": ["conversation", "x"], "operation": "over-write", "value": ["sys", "query"]}]}
    tree = iteration(("set", "assigner", data), after=[("answer", "answer", {"answer": "{{#conversation.x#}}"})])
    events = await events_of(tree, scripted(), inputs={"items": [1]}, query="new", conversation={"x": ""})
    assert finished(events).answer == visible(events) == "new"


async def test_text_before_a_branch_is_held_until_the_branch_is_decided() -> None:
    tree = graph(
        ("start", "start", {}),
        ("first", "llm", LLM),
        ("if", "echo", {"handle": "yes"}),
        ("yes", "end", end(one=["first", "text"], two=["if", "text"])),
        ("no", "end", end(one=["first", "text"])),
        edges=["start -> first", "first -> if", "if:yes -> yes", "if:no -> no"],
    )
    events = await events_of(tree, scripted("a ", "b"))
    assert short(events) == "+start -start +first -first +if 'a b' '\\n' -if +yes -yes RunFinished"
