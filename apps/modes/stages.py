"""The stage events of a run (preparation, main part, wrap-up, completion), for those who ask for them."""

from __future__ import annotations

from contextlib import aclosing

from difyproj.kernel import clock
from workflows.engine.events import TERMINAL, Events, RunFinished, RunStarted, StageChanged


async def stages(source: Events) -> Events:
    """``source`` with its stages around it. The terminal event stays the last; a failed run does not complete its stages."""
    async with aclosing(source):
        yield StageChanged("pre_process_started", clock.now().timestamp())
        async for event in source:
            if isinstance(event, RunFinished):
                for stage in ("main_process_completed", "post_process_started", "post_process_completed", "completion"):
                    yield StageChanged(stage, clock.now().timestamp())
            yield event
            if isinstance(event, RunStarted):
                yield StageChanged("pre_process_completed", clock.now().timestamp())
                yield StageChanged("main_process_started", clock.now().timestamp())
            if isinstance(event, TERMINAL):
                return
