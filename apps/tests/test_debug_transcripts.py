"""Golden transcripts of debug runs: every byte of the answer, ids and times aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.models import Message
from difyproj.testing.transcripts import Transcript
from difyproj.testing.upstream import Script

from .console_crew import Crew
from .test_debug_runs import OVERRIDE, ask

FOLDER = Path(__file__).parent / "transcripts"
MODES = ["streaming", "blocking"]


async def act(crew: Crew, family: str, name: str) -> None:
    """Ask in both modes and compare each with its file."""
    for mode in MODES:
        told = Transcript()
        answer = await ask(crew, family=family, response_mode=mode, model_config=OVERRIDE)
        told.note(f"{answer.status} {answer.headers['Content-Type']}")
        told.add(answer.body)
        row = await Message.objects.select_related("run").order_by("-created_at").afirst()
        assert row is not None
        assert row.run is not None
        told.note(f"run: {row.run.tier} {row.run.status} {row.run.error_code}".rstrip())
        told.note(f"message: {row.status} {row.answer!r} error={row.error!r} model={row.model_name}")
        told.check(FOLDER / f"debug_{family}_{name}_{mode}.txt")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_debug_run(crew: Crew, family: str) -> None:
    crew.house.upstream.script = Script(tokens=["Grüß ", "Gott,\n", '"世界"', " 🌍!"], delay=0.1)
    await act(crew, family, "plain")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_debug_run_that_breaks_off(crew: Crew, family: str) -> None:
    crew.house.upstream.script = Script(tokens=["One ", "two ", "three"], delay=0.1, disconnect_after=2)
    await act(crew, family, "broken")
