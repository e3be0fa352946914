"""More of how Dify's graphs behave: which text comes before which boundary, and what runs again after a pause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from difyproj.model_runtime.base import ModelRequest
from difyproj.testing.fakes import KeptFiles, Script, ScriptedModels, scripted
from workflows.engine.events import NodeStarted, RunFinished, TextChunk
from workflows.engine.graph import Graph
from workflows.engine.node import FormAnswer
from workflows.engine.ports import Ports

from .graphs import LLM, chain, events_of, graph, short
from .test_engine_pause import events_of as paused_events
from .test_engine_pause import resumed


def says(name: str) -> tuple[str, str, Any]:
    """A model that is asked for its own name."""
    return (name, "llm", {**LLM, "prompt_template": [{"role": "user", "text": name}]})


def models(**scripts: Script) -> Ports:
    def choose(request: ModelRequest) -> Script:
        return scripts[str(request.messages[-1].content)]

    return Ports(ScriptedModels(choose), KeptFiles())


def end(**selectors: Sequence[str]) -> dict[str, Any]:
    return {"outputs": [{"variable": name, "value_selector": list(selector)} for name, selector in selectors.items()]}


async def test_what_an_end_knows_already_comes_before_its_model_has_spoken() -> None:
    tree = chain(says("llm"), ("end", "end", end(query=["start", "query"], text=["llm", "text"])))
    events = await events_of(tree, models(llm=("a ", "b")), inputs={"query": "q"})
    assert short(events) == "+start 'q' '\\n' -start +llm 'a ' 'b' -llm +end -end RunFinished"
    told = [tuple(event.selector) for event in events if isinstance(event, TextChunk)]
    assert told == [("start", "query"), ("end", "answer"), ("llm", "text"), ("llm", "text")]


async def test_the_whole_text_of_racing_models_comes_before_the_answer_begins() -> None:
    tree = graph(
        ("start", "start", {}),
        says("one"),
        says("two"),
        ("answer", "answer", {"answer": "{{#two.text#}}{{#one.text#}}"}),
        edges=["start -> one", "start -> two", "one -> answer", "two -> answer"],
    )
    events = await events_of(tree, models(two=(0.03, "你", "好"), one=("Hello", "!")))
    told = [next(iter(event.selector)) for event in events if isinstance(event, TextChunk)]
    assert told.index("one") == told.count("two") == 2, "each word of the second stands before those of the first"
    line = short(events)
    assert line.rindex("'Hello") < line.index("+answer") and line.endswith("+answer -answer RunFinished")


async def test_a_template_that_names_the_later_model_first_waits_for_it() -> None:
    poems = "# Du Fu\n\n{{#du.text#}}\n\n# Li Bai\n\n{{#li.text#}}"
    tree = chain(says("li"), says("du"), ("answer", "answer", {"answer": poems}))
    events = await events_of(tree, models(li=("Quiet ", "Night"), du=("Spring ", "View")), query="1")
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert last.answer == "# Du Fu\n\nSpring View\n\n# Li Bai\n\nQuiet Night"
    kept = "'\\n\\n# Li Bai\\n\\n' 'Quiet Night'"
    wanted = f"+start '# Du Fu\\n\\n' -start +li -li +du 'Spring ' 'View' {kept} -du +answer -answer RunFinished"
    assert short(events) == wanted


async def test_a_value_that_is_made_at_once_is_one_chunk() -> None:
    made = {"template": "hello, {{ name }}!", "variables": [{"variable": "name", "value_selector": ["tool", "value"]}]}
    tree = chain(
        ("tool", "act", {"value": "dify"}),
        ("made", "template-transform", made),
        ("answer", "answer", {"answer": "{{#made.output#}}"}),
    )
    events = await events_of(tree, scripted(), query="1")
    assert short(events) == "+start -start +tool -tool +made 'hello, dify!' -made +answer -answer RunFinished"


@pytest.mark.parametrize(
    ("switch", "wanted"),
    [("on", {"1": "Code 1", "2": "Code 2", "3": None}), ("off", {"1": None, "2": "Code 2", "3": "Code 3"})],
)
async def test_branches_share_a_node_and_skip_the_others(switch: str, wanted: dict[str, Any]) -> None:
    codes = [(f"c{number}", "act", {"value": f"Code {number}"}) for number in (1, 2, 3)]
    condition = {"variable_selector": ["start", "switch"], "comparison_operator": "is", "value": "on"}
    tree = graph(
        ("start", "start", {}),
        ("if", "if-else", {"cases": [{"case_id": "true", "conditions": [condition]}]}),
        *codes,
        ("end", "end", end(**{str(number): [f"c{number}", "value"] for number in (1, 2, 3)})),
        edges=[
            *("if:true -> c1", "if:true -> c2", "if:false -> c2", "if:false -> c3", "start -> if"),
            *(f"c{number} -> end" for number in (1, 2, 3)),
        ],
    )
    events = await events_of(tree, scripted(), inputs={"switch": switch})
    last = events[-1]
    assert isinstance(last, RunFinished) and last.outputs == wanted
    began = [event.node_id for event in events if isinstance(event, NodeStarted)]
    assert len(began) == len(set(began)) == 5


def _asking() -> Graph:
    return graph(
        ("start", "start", {}),
        ("first", "act", {"words": ["kept ", "words"]}),
        ("ask", "ask", {}),
        ("then", "act", {"words": ["more"]}),
        ("end", "end", end(one=["first", "text"], two=["then", "text"])),
        ("no", "end", end(no=["first", "text"])),
        edges=["start -> first", "first -> ask", "ask:yes -> then", "ask:no -> no", "then -> end"],
    )


async def test_after_a_pause_an_end_first_says_what_was_kept() -> None:
    tree = _asking()
    before = await paused_events(tree)
    assert not any(isinstance(event, TextChunk) for event in before)
    after = await resumed(tree, before, answers={"ask": FormAnswer("yes")})
    assert short(after) == "HumanInputFilled 'kept words' '\\n' -ask +then 'more' -then +end -end RunFinished"
    last = after[-1]
    assert isinstance(last, RunFinished) and last.outputs == {"one": "kept words", "two": "more"}
