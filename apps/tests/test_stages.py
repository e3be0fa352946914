"""Stage events frame a run for those who ask."""

from __future__ import annotations

from apps.modes.mode import Turn
from difyproj.kernel.errors import CompletionRequestError
from difyproj.testing.fakes import ScriptedModels
from workflows.engine.events import RunEvent, RunFailed, RunFinished, RunStarted, StageChanged, TextChunk

from .runs import config, play


def told(events: list[RunEvent]) -> list[str]:
    return [event.stage if isinstance(event, StageChanged) else type(event).__name__ for event in events]


async def test_stages_come_in_order_and_the_terminal_event_stays_last() -> None:
    events = await play(config(), Turn("hi"), ScriptedModels(("Hello",)), stage_events=True)
    names = [name for name in told(events) if not name.startswith("Node")]
    assert names == [
        "pre_process_started",
        "RunStarted",
        "pre_process_completed",
        "main_process_started",
        "TextChunk",
        "main_process_completed",
        "post_process_started",
        "post_process_completed",
        "completion",
        "RunFinished",
    ]


async def test_a_failed_run_does_not_complete_its_stages() -> None:
    events = await play(config(), Turn("hi"), ScriptedModels((CompletionRequestError(),)), stage_events=True)
    assert "main_process_completed" not in told(events) and "completion" not in told(events)
    assert isinstance(events[-1], RunFailed)


async def test_nobody_sees_stages_who_did_not_ask() -> None:
    events = await play(config(), Turn("hi"))
    assert not any(isinstance(event, StageChanged) for event in events)
    assert {type(event) for event in events} >= {RunStarted, TextChunk, RunFinished}
