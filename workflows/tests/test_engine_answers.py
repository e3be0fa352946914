"""Streamed text keeps the order that the answer's template states."""

from __future__ import annotations

import asyncio

from hypothesis import given

from difyproj.testing.fakes import scripted, visible
from workflows.engine.events import NodeStarted, RunFinished, TextChunk
from workflows.engine.graph import Graph

from .graphs import chain, events_of, graph, short
from .graphs_at_random import random_graphs


async def test_text_around_a_reference_frames_the_stream() -> None:
    tree = chain(("e", "echo", {"words": ["a", "b"]}), ("answer", "answer", {"answer": "<{{#e.text#}}>"}))
    assert short(await events_of(tree, scripted())) == "+start '<' -start +e 'a' 'b' '>' -e +answer -answer RunFinished"


async def test_inputs_and_system_variables_come_before_the_first_node_ends() -> None:
    tree = chain(("answer", "answer", {"answer": "prefix{{#sys.query#}}suffix {{#start.n#}}"}))
    events = await events_of(tree, scripted(), query="Hello, AI!", inputs={"n": 3})
    assert short(events) == "+start 'prefix' 'Hello, AI!' 'suffix ' '3' -start +answer -answer RunFinished"
    assert visible(events) == "prefixHello, AI!suffix 3"


async def test_a_later_reference_waits_for_its_turn() -> None:
    tree = chain(
        ("one", "echo", {"words": ["1", "1"]}),
        ("two", "echo", {"words": ["2", "2"]}),
        ("answer", "answer", {"answer": "{{#two.text#}} then {{#one.text#}}"}),
    )
    assert short(await events_of(tree, scripted())) == (
        "+start -start +one -one +two '2' '2' ' then ' '11' -two +answer -answer RunFinished"
    )


async def test_text_kept_while_a_branch_is_open_is_sent_once_it_is_decided() -> None:
    tree = graph(
        ("start", "start", {}),
        ("talk", "echo", {"words": ["x", "y"]}),
        ("if", "echo", {"handle": "no"}),
        ("yes", "answer", {"answer": "yes {{#talk.text#}}"}),
        ("no", "answer", {"answer": "no {{#talk.text#}}"}),
        edges=["start -> talk", "talk -> if", "if:yes -> yes", "if:no -> no"],
    )
    assert short(await events_of(tree, scripted())) == ("+start -start +talk -talk +if 'no ' 'xy' -if +no -no RunFinished")


async def test_several_answers_speak_in_order_and_their_texts_are_joined() -> None:
    tree = chain(
        ("first", "answer", {"answer": "one\n"}),
        ("e", "echo", {"words": ["two"]}),
        ("second", "answer", {"answer": "{{#e.text#}}\n"}),
    )
    events = await events_of(tree, scripted())
    assert visible(events) == "one\ntwo\n"
    assert getattr(events[-1], "answer", "") == "one\ntwo\n"


async def test_a_reference_used_twice_is_sent_whole_the_second_time() -> None:
    tree = chain(("e", "echo", {"words": ["a", "b"]}), ("answer", "answer", {"answer": "{{#e.text#}}-{{#e.text#}}"}))
    assert short(await events_of(tree, scripted())) == "+start -start +e 'a' 'b' '-' 'ab' -e +answer -answer RunFinished"


async def test_a_reference_to_nothing_leaves_its_name_in_stream_and_answer_alike() -> None:
    events = await events_of(chain(("answer", "answer", {"answer": "see {{#e.text#}}"})), scripted())
    assert visible(events) == "see e.text"
    assert getattr(events[-1], "answer", "") == "see e.text"


@given(random_graphs())
def test_what_was_streamed_is_the_answer_in_any_graph(tree: Graph) -> None:
    events = asyncio.run(events_of(tree, scripted()))
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert visible(events) == last.answer
    begun = [event.node_id for event in events if isinstance(event, NodeStarted)]
    assert len(begun) == len(set(begun)), "no node runs twice"
    begun_answers = [event for event in events if isinstance(event, NodeStarted) and event.node_type == "answer"]
    if sum(spec.type == "answer" for spec in tree.nodes.values()) == 1 and begun_answers:
        (start,) = begun_answers
        after = events[events.index(start) :]
        own = [each for each in after if isinstance(each, TextChunk) and tuple(each.selector) == (start.node_id, "answer")]
        assert not own, "a lone answer has spoken before it starts"
