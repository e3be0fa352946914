"""What is too much: for one run, as the operator allows, and for a reader's eyes."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from apps.models import Run
from difyproj.infra import backends
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from workflows.engine import previewed
from workflows.models import NodeExecution

from .flows import ask, end, llm, make_flow, node, row, start, template, text_input


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


def allow(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
    monkeypatch.setattr(settings, "WORKFLOW_LIMITS", {**settings.WORKFLOW_LIMITS, **limits})


async def test_a_run_with_too_many_steps_ends_with_a_word_about_it(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, steps=2)
    graph = row(start(), template("one", "1"), template("two", "2"), end())
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, graph))
    data = (await asked.whole())["data"]
    assert (data["status"], data["error"]) == ("failed", "The run took more than 2 steps.")
    assert (await Run.objects.aget(pk=asked.run_id)).error == data["error"]


@pytest.mark.parametrize("limit", ["WORKFLOW_LIMITS", "APP_MAX_EXECUTION_TIME"])
async def test_a_run_that_takes_too_long_ends(house: Served, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    if limit == "WORKFLOW_LIMITS":
        allow(monkeypatch, seconds=0.2)
    else:
        monkeypatch.setattr(settings, limit, 0.2)
    house.upstream.script = Script(hang="before")
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, row(start(), llm(text="x"), end())))
    data = (await asked.whole())["data"]
    assert data["status"] == "failed" and "longer" in data["error"]
    assert not await NodeExecution.objects.filter(run_id=asked.run_id, status="running").aexists()


async def test_a_large_value_is_shown_in_part_and_kept_whole(house: Served) -> None:
    size = previewed.LONGEST_TEXT + 5
    graph = row(
        start(text_input("word", max_length=None)), node("n", "variable-aggregator", variables=[["start", "word"]]), end()
    )
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, graph), inputs={"word": "a" * size})
    nodes = [record["data"] for _, record in await asked.records() if record["event"] == "node_finished"]
    shown = nodes[1]["outputs"]["output"]
    assert (nodes[1]["outputs_truncated"], len(shown)) == (True, previewed.LONGEST_TEXT + 3)
    assert nodes[2]["outputs_truncated"] is False
    kept = await NodeExecution.objects.aget(run_id=asked.run_id, node_id="n")
    assert kept.outputs == {"output": "a" * size}


def test_previews_cut_texts_lists_and_what_is_large_altogether() -> None:
    assert previewed.preview({"a": [1, "x", None], "b": {"c": True}}) == ({"a": [1, "x", None], "b": {"c": True}}, False)
    many, is_cut = previewed.preview(list(range(previewed.LONGEST_LIST + 1)))
    assert (len(many), is_cut) == (previewed.LONGEST_LIST, True)
    large = {str(number): "a" * previewed.LONGEST_TEXT for number in range(20)}
    shown, is_cut = previewed.preview(large)
    assert is_cut and len(str(shown)) < previewed.MOST + previewed.LONGEST_TEXT
