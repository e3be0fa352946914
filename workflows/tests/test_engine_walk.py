"""The walk yields a run's events in order, ends it well or badly, and lets go of everything when it is closed."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace

import pytest

from difyproj.kernel.errors import CompletionRequestError, ProviderNotInitialize
from difyproj.model_runtime.messages import Delta, TokenUsage
from difyproj.testing.fakes import KeptFiles, ScriptedModels, scripted, visible
from workflows.engine.events import AnyEvent, NodeFinished, RunFailed, RunFinished, RunStarted, TextChunk, decode, encode
from workflows.engine.limits import Limits
from workflows.engine.pool import VariablePool
from workflows.engine.ports import Ports
from workflows.engine.state import RunState
from workflows.engine.walk import run

from .graphs import LLM, TYPES, chain, events_of, graph, short

TALK = chain(("llm", "llm", LLM), ("answer", "answer", {"answer": "{{#llm.text#}}"}))


async def test_a_run_streams_from_start_to_answer() -> None:
    events = await events_of(TALK, scripted("Hel", "lo"), inputs={"a": 1})
    assert short(events) == "+start -start +llm 'Hel' 'lo' -llm +answer -answer RunFinished"
    first, last = events[0], events[-1]
    assert isinstance(first, RunStarted) and first.inputs == {"a": 1}
    assert isinstance(last, RunFinished)
    assert (last.status, last.answer, last.outputs["answer"], last.total_steps) == ("succeeded", "Hello", "Hello", 3)
    assert last.usage.total_tokens == 2 and last.usage.total_price == "0.002"


async def test_events_survive_the_log_as_bytes() -> None:
    events: list[AnyEvent] = [decode(encode(event)) for event in await events_of(TALK, scripted("x"))]
    assert short(events) == "+start -start +llm 'x' -llm +answer -answer RunFinished"


async def test_a_provider_error_fails_the_node_and_the_run_with_its_code() -> None:
    events = await events_of(TALK, scripted("Hel", CompletionRequestError("The model is on fire.")))
    assert short(events) == "+start -start +llm 'Hel' !llm RunFailed"
    failed, last = events[-2], events[-1]
    assert isinstance(failed, NodeFinished) and failed.error == "The model is on fire."
    assert isinstance(last, RunFailed)
    assert (last.code, last.status, last.message, last.answer) == (
        "completion_request_error",
        400,
        "The model is on fire.",
        "Hel",
    )
    assert last.usage.completion_tokens == 1, "the text that came is paid for"


async def test_an_error_before_the_first_token_costs_nothing() -> None:
    events = await events_of(TALK, scripted(ProviderNotInitialize()))
    last = events[-1]
    assert isinstance(last, RunFailed) and last.code == "provider_not_initialize"
    assert last.usage.total_tokens == 0 and last.answer == ""


async def test_a_bug_in_a_node_becomes_an_internal_error_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    events = await events_of(chain(("e", "echo", {"words": ["a"], "crash": True})), scripted())
    last = events[-1]
    assert isinstance(last, RunFailed) and (last.code, last.status) == ("internal_server_error", 500)
    assert "secret" not in last.message
    assert "a secret detail" in caplog.text


async def test_a_node_that_ends_without_outputs_is_a_failure() -> None:
    events = await events_of(chain(("s", "silent", {})), scripted())
    assert short(events) == "+start -start +s !s RunFailed"


async def test_only_the_chosen_branch_runs_and_joins_wait() -> None:
    tree = graph(
        ("start", "start", {}),
        ("if", "echo", {"handle": "true"}),
        ("yes", "echo", {"words": ["y"]}),
        ("no", "echo", {"words": ["n"]}),
        ("after", "echo", {}),
        ("join", "answer", {"answer": "{{#yes.text#}}!"}),
        edges=["start -> if", "if:true -> yes", "if:false -> no", "no -> after", "yes -> join", "after -> join"],
    )
    assert short(await events_of(tree, scripted())) == ("+start -start +if -if +yes 'y' '!' -yes +join -join RunFinished")


async def test_the_step_limit_ends_a_run_in_an_error() -> None:
    events = await events_of(TALK, scripted("x"), limits=Limits(steps=1))
    last = events[-1]
    assert short(events) == "+start -start RunFailed"
    assert isinstance(last, RunFailed) and last.code == "invalid_param" and "1 steps" in last.message


async def test_closing_a_run_closes_the_model_stream_and_keeps_text_and_usage() -> None:
    models = ScriptedModels(("one ", "two ", "three "))
    ports, state = Ports(models, KeptFiles()), RunState()
    seen = 0
    async with aclosing(run(TALK, VariablePool(), ports, nodes=TYPES, state=state)) as events:
        async for event in events:
            seen += isinstance(event, TextChunk)
            if seen == 2:
                break
    assert models.closed == 1
    assert state.answer == "one two "
    last = await state.finished(models, "stopped")
    assert (last.status, last.answer, last.outputs) == ("stopped", "one two ", {"answer": "one two "})
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (1, 2)
    assert last.usage.time_to_first_token is not None


async def test_cancelling_a_run_that_waits_closes_the_model_stream_at_once() -> None:
    models = ScriptedModels(("one ", 60.0, "never"))
    state = RunState()

    spoke = asyncio.Event()

    async def read() -> None:
        async for event in run(TALK, VariablePool(), Ports(models, KeptFiles()), nodes=TYPES, state=state):
            if isinstance(event, TextChunk):
                spoke.set()

    task = asyncio.create_task(read())
    await spoke.wait()
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert models.closed == 1 and time.monotonic() - began < 1
    assert not state.ended and state.answer == "one "


async def test_reported_usage_wins_over_counting() -> None:
    events = await events_of(TALK, scripted(Delta("Hi", finish_reason="stop"), TokenUsage(100, 20)))
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_price) == (100, 20, "0.120")


async def test_usage_of_several_calls_is_added_up() -> None:
    again = {**LLM, "prompt_template": [{"role": "user", "text": "Shorten {{#llm.text#}}"}]}
    tree = chain(("llm", "llm", LLM), ("two", "llm", again), ("answer", "answer", {"answer": "{{#two.text#}}"}))
    last = (await events_of(tree, scripted("so")))[-1]
    assert isinstance(last, RunFinished)
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_price) == (3, 2, "0.005")


async def test_a_hundred_chunks_cost_well_under_a_millisecond() -> None:
    ports = scripted(*["token "] * 100)
    best = 1.0
    for _ in range(30):
        began = time.process_time()
        events = await events_of(TALK, ports)
        best = min(best, time.process_time() - began)
    assert len(visible(events)) == 600
    assert best < 0.002, f"{best * 1e6:.0f} us, the model included"


def test_a_state_without_text_has_an_empty_answer() -> None:
    assert RunState().answer == ""
    assert replace(RunState()).calls == []
