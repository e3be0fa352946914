"""Iterations and loops: rounds over copies or over the run's own variables, their events, their failures and their text."""

from __future__ import annotations

import time
from typing import Any

import pytest

from difyproj.testing.fakes import scripted, visible
from workflows.engine.events import (
    ContainerFinished,
    ContainerNext,
    ContainerStarted,
    NodeFinished,
    NodeStarted,
    Place,
    RunEvent,
    RunFailed,
    RunFinished,
    decode,
    encode,
)
from workflows.engine.graph import Graph
from workflows.engine.limits import Limits

from .acting import RAN, TOGETHER
from .graphs import events_of, short
from .graphs_inside import Node, exported, iteration, loop

ITEM = ("one", "act", {"shows": ["each", "item"]})
FRUIT = ["apple", "banana", "cherry"]
OUTPUT: dict[str, Any] = {"output_selector": ["one", "value"]}


def output(events: list[RunEvent], name: str = "each") -> Any:
    end = next(event for event in events if isinstance(event, NodeFinished) and event.node_id == name and event.place is None)
    return (end.outputs or {}).get("output")


async def test_an_iteration_runs_once_per_item_in_order() -> None:
    events = await events_of(iteration(ITEM, **OUTPUT), scripted(), inputs={"items": FRUIT[:2]})
    assert short(events) == (
        "+start -start +each ContainerStarted ContainerNext +first -first +one -one "
        "ContainerNext +first -first +one -one ContainerFinished -each RunFinished"
    )
    assert output(events) == ["apple", "banana"]
    started = next(event for event in events if isinstance(event, ContainerStarted))
    finished = next(event for event in events if isinstance(event, ContainerFinished))
    assert (started.container_kind, started.metadata, started.inputs) == (
        "iteration",
        {"iterator_length": 2},
        {"iterator_selector": ["apple", "banana"]},
    )
    assert (finished.status, finished.steps, finished.outputs) == ("succeeded", 4, {"output": ["apple", "banana"]})
    assert set(finished.metadata["iteration_duration_map"]) == {"0", "1"}
    assert [(e.index, e.previous) for e in events if isinstance(e, ContainerNext)] == [(0, None), (1, "apple")]
    assert list(map(decode, map(encode, events))) == events


async def test_nodes_inside_tell_where_they_are() -> None:
    events = await events_of(iteration(ITEM, **OUTPUT), scripted(), inputs={"items": FRUIT[:2]})
    places = [event.place for event in events if isinstance(event, NodeStarted | NodeFinished) and event.node_id == "one"]
    first, second = Place("each", "iteration", 0), Place("each", "iteration", 1)
    assert places == [first, first, second, second]
    indexes = [event.index for event in events if isinstance(event, NodeStarted)]
    assert indexes == list(range(1, 7))
    last = events[-1]
    assert isinstance(last, RunFinished) and last.total_steps == 6


@pytest.mark.parametrize("items", [None, []])
async def test_an_iteration_over_nothing_succeeds_with_nothing(items: Any) -> None:
    events = await events_of(iteration(ITEM, **OUTPUT), scripted(), inputs={"items": items})
    assert output(events) == [] and RAN == []


@pytest.mark.parametrize(("inputs", "told"), [({"items": "abc"}, "needs a list"), ({}, "start.items not found")])
async def test_an_iteration_over_anything_else_fails(inputs: dict[str, Any], told: str) -> None:
    last = (await events_of(iteration(ITEM), scripted(), inputs=inputs))[-1]
    assert isinstance(last, RunFailed) and told in last.message and last.node_id == "each"


async def test_parallel_rounds_overlap_and_their_results_keep_the_order_of_the_items() -> None:
    body = ("one", "act", {"shows": ["each", "item"], "seconds": 0.1})
    began = time.monotonic()
    tree = iteration(body, is_parallel=True, parallel_nums=5, **OUTPUT)
    events = await events_of(tree, scripted(), inputs={"items": list(range(10))})
    assert time.monotonic() - began < 0.9
    assert max(TOGETHER) == 5
    assert output(events) == list(range(10))
    assert [event.index for event in events if isinstance(event, ContainerNext)] == list(range(10))


SOMETIMES: list[Node] = [("cond", "if-else", {"cases": [{"case_id": "bad", "conditions": [
    {"variable_selector": ["each", "item"], "comparison_operator": "is", "value": "bad"}]}]}),
    ("fails", "act", {"fails": -1}),
    ("one", "act", {"shows": ["each", "item"]}),
]  # fmt: skip


def sometimes_failing(**data: Any) -> Graph:
    each = ("each", "iteration", {"iterator_selector": ["start", "items"], "output_selector": ["one", "value"], **data})
    return exported(
        [("start", "start", {}), each, ("first", "iteration-start", {}), *SOMETIMES],
        ["start -> each", "first -> cond", "cond:bad -> fails", "cond:false -> one"],
        each=["first", "cond", "fails", "one"],
    )


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(("mode", "wanted"), [("continue-on-error", ["a", None, "b"]), ("remove-abnormal-output", ["a", "b"])])
async def test_a_failing_round_leaves_null_or_nothing(mode: str, wanted: list[Any], parallel: bool) -> None:
    tree = sometimes_failing(error_handle_mode=mode, is_parallel=parallel)
    events = await events_of(tree, scripted(), inputs={"items": ["a", "bad", "b"]})
    last = events[-1]
    assert output(events) == wanted
    assert isinstance(last, RunFinished) and last.status == "succeeded"


@pytest.mark.parametrize("parallel", [False, True])
async def test_a_failing_round_ends_a_terminated_iteration_and_the_run(parallel: bool) -> None:
    tree = sometimes_failing(error_handle_mode="terminated", is_parallel=parallel, parallel_nums=2)
    events = await events_of(tree, scripted(), inputs={"items": ["a", "bad", "b", "c", "d"]})
    end = next(event for event in events if isinstance(event, ContainerFinished))
    last = events[-1]
    assert (end.status, end.error) == ("failed", "It broke.")
    assert isinstance(last, RunFailed) and (last.node_id, last.message) == ("each", "It broke.")
    assert RAN.count("one") == (2 if parallel else 1), "what had begun ends, nothing new begins"


async def test_a_strategy_may_take_care_of_a_failed_container() -> None:
    tree = sometimes_failing(
        error_strategy="default-value", default_value=[{"key": "output", "type": "array[string]", "value": "[]"}]
    )
    events = await events_of(tree, scripted(), inputs={"items": ["bad"]})
    last = events[-1]
    assert output(events) == []
    assert isinstance(last, RunFinished) and (last.status, last.exceptions_count) == ("partial-succeeded", 1)


async def test_a_handled_failure_inside_counts_for_the_run() -> None:
    body = ("one", "act", {"fails": -1, "error_strategy": "default-value", "default_value": [{"key": "value", "value": "x"}]})
    events = await events_of(iteration(body, **OUTPUT), scripted(), inputs={"items": [1, 2]})
    last = events[-1]
    assert output(events) == ["x", "x"]
    assert isinstance(last, RunFinished) and (last.status, last.exceptions_count) == ("partial-succeeded", 2)


@pytest.mark.parametrize(("flatten", "wanted"), [(True, [1, 2, 2, 4]), (None, [1, 2, 2, 4]), (False, [[1, 2], [2, 4]])])
async def test_results_that_are_lists_are_joined_unless_told_otherwise(flatten: Any, wanted: list[Any]) -> None:
    tree = iteration(ITEM, flatten_output=flatten, **OUTPUT)
    assert output(await events_of(tree, scripted(), inputs={"items": [[1, 2], [2, 4]]})) == wanted


async def test_results_that_are_not_all_lists_stay_as_they_are() -> None:
    assert output(await events_of(iteration(ITEM, **OUTPUT), scripted(), inputs={"items": [[1], 2]})) == [[1], 2]


@pytest.mark.parametrize("parallel", [False, True])
async def test_what_a_round_writes_stays_inside_except_for_the_conversation(parallel: bool) -> None:
    body = ("one", "act", {"value": 7, "assign": {"conversation.word": "new", "start.items": "changed"}})
    answer = ("answer", "answer", {"answer": "{{#conversation.word#}} {{#one.value#}} {{#start.items#}} {{#each.item#}}"})
    events = await events_of(
        iteration(body, after=[answer], is_parallel=parallel, **OUTPUT),
        scripted(),
        inputs={"items": ["x"]},
        conversation={"word": "old"},
    )
    assert visible(events) == "new one.value - x each.item"


@pytest.mark.parametrize("parallel", [False, True])
async def test_answers_inside_stream_in_the_order_of_the_rounds(parallel: bool) -> None:
    body: list[Node] = [("wait", "act", {"shows": ["each", "item"]}), ("say", "answer", {"answer": "{{#each.item#}}\n"})]
    tree = iteration(
        *body, after=[("done", "answer", {"answer": "done"})], is_parallel=parallel, output_selector=["say", "answer"]
    )
    events = await events_of(tree, scripted(), inputs={"items": list(FRUIT)})
    last = events[-1]
    assert visible(events) == "apple\nbanana\ncherry\ndone"
    assert isinstance(last, RunFinished) and last.outputs["answer"] == last.answer == visible(events)


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("before", ["", "So: "])
async def test_text_of_a_failed_try_inside_is_withdrawn(parallel: bool, before: str) -> None:
    tried = {"retry_config": {"retry_enabled": True, "max_retries": 2, "retry_interval": 0}}
    body: list[Node] = [
        ("n", "act", {"words": ["o", "k"], "fails": 2, **tried}),
        ("say", "answer", {"answer": before + "<{{#n.text#}}>"}),
    ]
    tree = iteration(*body, after=[("done", "answer", {"answer": "."})], is_parallel=parallel, output_selector=["n", "text"])
    events = await events_of(tree, scripted(), inputs={"items": [1, 2, 3]})
    last = events[-1]
    assert isinstance(last, RunFinished) and visible(events) == last.answer == f"{before}<ok>" * 3 + "."


async def test_text_inside_a_container_never_mixes_with_an_answer_beside_it() -> None:
    each = ("each", "iteration", {"iterator_selector": ["start", "items"], "output_selector": ["say", "answer"]})
    tree = exported(
        [
            ("start", "start", {}), each, ("first", "iteration-start", {}),
            ("wait", "act", {"seconds": 0.02}), ("say", "answer", {"answer": "<{{#each.item#}}>"}),
            ("beside", "act", {"seconds": 0.03, "words": ["b", "c"]}), ("other", "answer", {"answer": "[a{{#beside.text#}}d]"}),
        ],
        ["start -> each", "first -> wait", "wait -> say", "start -> beside", "beside -> other"],
        each=["first", "wait", "say"],
    )  # fmt: skip
    events = await events_of(tree, scripted(), inputs={"items": [1, 2, 3]})
    assert visible(events) == "[abcd]<1><2><3>" == getattr(events[-1], "answer", "")


async def test_the_deadline_and_the_step_limit_hold_inside_too() -> None:
    tree = iteration(ITEM, error_handle_mode="continue-on-error", **OUTPUT)
    last = (await events_of(tree, scripted(), inputs={"items": list(range(100))}, limits=Limits(total_steps=50)))[-1]
    assert isinstance(last, RunFailed) and "50 steps" in last.message and len(RAN) < 50


COUNT = ("count", "assigner", {"version": "2", "items": [
    {"variable_selector": ["again", "num"], "operation": "+=", "input_type": "constant", "value": 1}]})  # fmt: skip
NUMBER = {"label": "num", "var_type": "number", "value_type": "constant", "value": "1"}
AT_FIVE = [{"variable_selector": ["again", "num"], "comparison_operator": "≥", "value": "5"}]
NUM, ROUNDS = ["again", "num"], ["again", "loop_round"]
END = (
    "end",
    "end",
    {"outputs": [{"variable": "num", "value_selector": NUM}, {"variable": "rounds", "value_selector": ROUNDS}]},
)


async def test_a_loop_goes_round_until_its_condition_holds() -> None:
    tree = loop(COUNT, after=[END], loop_count=10, loop_variables=[NUMBER], break_conditions=AT_FIVE, logical_operator="and")
    events = await events_of(tree, scripted())
    last = events[-1]
    assert isinstance(last, RunFinished) and last.outputs == {"num": 5, "rounds": 4}
    started = next(event for event in events if isinstance(event, ContainerStarted))
    finished = next(event for event in events if isinstance(event, ContainerFinished))
    assert (started.container_kind, started.metadata) == ("loop", {"loop_length": 10})
    assert started.inputs == {"loop_count": 10, "num": 1}
    assert finished.metadata["completed_reason"] == "loop_break"
    assert finished.metadata["loop_variable_map"]["3"] == {"num": 5}
    nexts = [(e.index, e.previous) for e in events if isinstance(e, ContainerNext)]
    assert nexts == [(1, {"num": 2, "loop_round": 1}), (2, {"num": 3, "loop_round": 2}), (3, {"num": 4, "loop_round": 3})]


async def test_a_loop_without_conditions_goes_round_as_often_as_it_says() -> None:
    tree = loop(COUNT, after=[END], loop_count=3, loop_variables=[NUMBER])
    events = await events_of(tree, scripted())
    last = events[-1]
    assert isinstance(last, RunFinished) and last.outputs == {"num": 4, "rounds": 3}
    finished = next(event for event in events if isinstance(event, ContainerFinished))
    assert finished.metadata["completed_reason"] == "loop_completed"


async def test_a_condition_that_holds_before_the_first_round_lets_none_begin() -> None:
    tree = loop(COUNT, after=[END], loop_count=3, loop_variables=[{**NUMBER, "value": 9}], break_conditions=AT_FIVE)
    events = await events_of(tree, scripted())
    last = events[-1]
    assert isinstance(last, RunFinished) and last.outputs == {"num": 9, "rounds": 0}


async def test_a_condition_may_look_at_what_only_a_round_makes() -> None:
    body = ("one", "act", {"value": "enough"})
    conditions = [{"variable_selector": ["one", "value"], "comparison_operator": "is", "value": "enough"}]
    events = await events_of(loop(body, loop_count=5, break_conditions=conditions), scripted())
    assert RAN == ["one"] and isinstance(events[-1], RunFinished)


async def test_a_loop_end_makes_its_round_the_last() -> None:
    body: list[Node] = [("one", "act", {}), ("stop", "loop-end", {}), ("other", "act", {})]
    tree = loop(*body, loop_count=5, edges=["first -> one", "one -> stop", "first -> other"])
    events = await events_of(tree, scripted())
    finished = next(event for event in events if isinstance(event, ContainerFinished))
    assert finished.metadata["completed_reason"] == "loop_break" and RAN.count("one") == RAN.count("other") == 1


async def test_a_failure_inside_fails_the_loop() -> None:
    events = await events_of(loop(("one", "act", {"fails": -1}), loop_count=5), scripted())
    finished = next(event for event in events if isinstance(event, ContainerFinished))
    assert (finished.status, finished.metadata["completed_reason"]) == ("failed", "error")
    assert isinstance(events[-1], RunFailed) and events[-1].node_id == "again" and RAN == ["one"]


async def test_what_nodes_gave_out_is_forgotten_before_each_round() -> None:
    body: list[Node] = [
        ("see", "variable-aggregator", {"variables": [["one", "value"], ["again", "seen"]]}),
        ("one", "act", {"value": "old"}),
    ]
    tree = loop(
        *body,
        loop_count=2,
        loop_variables=[{"label": "seen", "value": "nothing"}],
        edges=["first -> see", "see -> one"],
    )
    events = await events_of(tree, scripted())
    seen = [event.outputs for event in events if isinstance(event, NodeFinished) and event.node_id == "see"]
    assert seen == [{"output": "nothing"}] * 2


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("string", "a", "a"),
        ("number", "2.5", 2.5),
        ("number", 2, 2),
        ("boolean", "true", True),
        ("object", '{"a": 1}', {"a": 1}),
        ("array[string]", '["a"]', ["a"]),
        ("array[object]", [{"a": 1}], [{"a": 1}]),
        ("array[number]", "[1,", []),
        ("array[number]", "", []),
        ("number", None, 0),
    ],
)
async def test_loop_variables_are_read_as_their_type(kind: str, given: Any, wanted: Any) -> None:
    tree = loop(("one", "act", {}), loop_count=1, loop_variables=[{"label": "x", "var_type": kind, "value": given}])
    events = await events_of(tree, scripted())
    started = next(event for event in events if isinstance(event, ContainerStarted))
    assert started.inputs["x"] == wanted


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ({"label": "x", "var_type": "number", "value": "many"}, "loop_variables.0.value"),
        ({"label": "x", "value_type": "variable", "value": ["no", "where"]}, "loop_variables.0.value"),
    ],
)
async def test_a_loop_variable_that_cannot_begin_fails_the_loop(variable: dict[str, Any], field: str) -> None:
    last = (await events_of(loop(("one", "act", {}), loop_count=1, loop_variables=[variable]), scripted()))[-1]
    assert isinstance(last, RunFailed) and "'x'" in last.message and RAN == []


async def test_a_loop_variable_may_begin_as_another_variable() -> None:
    tree = loop(
        ("say", "answer", {"answer": "{{#again.x#}}"}),
        loop_count=1,
        loop_variables=[{"label": "x", "value_type": "variable", "value": ["sys", "query"]}],
    )
    assert visible(await events_of(tree, scripted(), query="hello")) == "hello"


async def test_answers_in_a_loop_speak_round_by_round_before_what_follows() -> None:
    say = ("say", "answer", {"answer": "{{#again.num#}}\n"})
    tree = loop(
        say, COUNT, after=[("last", "answer", {"answer": "1 + {{#sys.query#}}"})], loop_count=2, loop_variables=[NUMBER]
    )
    events = await events_of(tree, scripted(), query="hi")
    assert visible(events) == "1\n2\n1 + hi"
    line = short(events)
    assert line.index("'1'") < line.index("ContainerNext") < line.index("'2'") < line.index("'1 + '")


async def test_a_loop_stops_at_the_limit_of_rounds() -> None:
    last = (await events_of(loop(("one", "act", {}), loop_count=1000), scripted(), limits=Limits(rounds=7)))[-1]
    assert isinstance(last, RunFailed) and "more than 7 times" in last.message and len(RAN) == 7


def nested(kinds: list[str], count: int) -> Graph:
    """Containers inside each other, one act in the innermost."""
    nodes: list[Any] = [("start", "start", {})]
    edges = ["start -> c0"]
    inside: dict[str, list[str]] = {}
    for depth, kind in enumerate(kinds):
        data = (
            {"loop_count": count}
            if kind == "loop"
            else {"iterator_selector": ["start", "items"], "output_selector": [f"c{depth + 1}", "output"]}
        )
        nodes += [(f"c{depth}", kind, data), (f"s{depth}", f"{kind}-start", {})]
        edges.append(f"s{depth} -> c{depth + 1}")
        inside[f"c{depth}"] = [f"s{depth}", f"c{depth + 1}"]
    nodes.append((f"c{len(kinds)}", "act", {"shows": [f"c{len(kinds) - 1}", "item"]}))
    return exported(nodes, edges, **inside)


async def test_containers_nest_and_tell_every_place_apart() -> None:
    events = await events_of(nested(["iteration", "loop", "iteration"], 2), scripted(), inputs={"items": [1, 2]})
    assert isinstance(events[-1], RunFinished) and len(RAN) == 8
    places = [event.place for event in events if isinstance(event, NodeFinished) and event.node_id == "c3"]
    assert len(set(places)) == 8
    assert places[-1] == Place("c2", "iteration", 1, Place("c1", "loop", 1, Place("c0", "iteration", 1)))


async def test_a_bomb_of_loops_in_loops_ends() -> None:
    began = time.monotonic()
    last = (await events_of(nested(["loop"] * 4, 100), scripted(), limits=Limits(total_steps=2_000)))[-1]
    assert isinstance(last, RunFailed) and "2000 steps" in last.message
    assert time.monotonic() - began < 5
