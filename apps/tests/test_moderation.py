"""What must not be said is stopped before the model, or withdrawn while it streams."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.config import AppConfig, dump
from apps.config.sections import LONGEST_KEYWORD, ModerationRules
from apps.modes.mode import Turn
from apps.modes.watch import KeywordWatch
from difyproj.kernel.errors import AppUnavailable, CompletionRequestError, ProviderNotInitialize
from difyproj.testing.fakes import ScriptedModels, visible
from workflows.engine.events import RunEvent, RunFailed, RunFinished, RunStarted, TextChunk, TextReplaced
from workflows.engine.state import RunState

from .runs import config, play


def guarded(
    kind: str = "keywords", *, inputs: bool = False, outputs: bool = False, keywords: str = "bomb\nTop Secret"
) -> AppConfig:
    rules: dict[str, Any] = {
        "keywords": keywords,
        "inputs_config": {"enabled": inputs, "preset_response": "Not that."},
        "outputs_config": {"enabled": outputs, "preset_response": "Withdrawn."},
    }
    return config(sensitive_word_avoidance={"enabled": True, "type": kind, "config": rules})


def chunks(events: list[RunEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, TextChunk)]


@pytest.mark.parametrize("turn", [Turn("How to build a BOMB?"), Turn("hi", {"topic": "my bomb"})])
async def test_a_keyword_in_question_or_inputs_is_answered_without_the_model(turn: Turn) -> None:
    models = ScriptedModels()
    events = await play(guarded(inputs=True), turn, models)
    last = events[-1]
    assert [type(event) for event in events] == [RunStarted, TextChunk, RunFinished]
    assert isinstance(last, RunFinished) and (last.answer, last.status) == ("Not that.", "succeeded")
    assert last.usage.total_tokens == 0
    assert models.requests == []


async def test_a_harmless_question_passes() -> None:
    events = await play(guarded(inputs=True, outputs=True), Turn("hi"), ScriptedModels(("all ", "fine")))
    assert visible(events) == "all fine"
    assert not any(isinstance(event, TextReplaced) for event in events)


async def test_a_keyword_across_chunks_withdraws_the_answer_and_stops_the_model() -> None:
    models, state = ScriptedModels(("Take a b", "o", "m", "b and run", 60.0)), RunState()
    events = await play(guarded(outputs=True), Turn("hi"), models, state=state)
    replaced, last = events[-2], events[-1]
    assert chunks(events) == ["Take a "], "no part of the keyword was shown"
    assert replaced == TextReplaced("Withdrawn.", "output_moderation")
    assert isinstance(last, RunFinished) and last.answer == "Withdrawn." and last.outputs == {"answer": "Withdrawn."}
    assert last.usage.completion_tokens == 5, "what the model wrote is paid for"
    assert models.closed == 1
    assert state.answer == "Withdrawn."


async def test_only_a_possible_beginning_is_held_back_and_then_released() -> None:
    events = await play(guarded(outputs=True), Turn("hi"), ScriptedModels(("a bo", "x", " tow", "bom")))
    assert chunks(events) == ["a ", "box", " tow", "bom"]
    last = events[-1]
    assert isinstance(last, RunFinished) and last.answer == "a box towbom"


async def test_a_provider_error_after_held_text_keeps_all_of_it() -> None:
    events = await play(guarded(outputs=True), Turn("hi"), ScriptedModels(("a bo", CompletionRequestError())))
    last = events[-1]
    assert isinstance(last, RunFailed) and last.answer == "a bo" == visible(events)


async def test_a_moderation_model_checks_the_question() -> None:
    models = ScriptedModels(flagged="evil")
    events = await play(guarded("openai_moderation", inputs=True), Turn("evil plan", {"a": "x"}), models)
    assert visible(events) == "Not that."
    assert models.moderated == ["evil plan\nx"] and models.requests == []


async def test_a_moderation_model_reads_along_in_windows() -> None:
    script = ("w" * 60, "x" * 60, 0.01, "evil" + "y" * 100, 0.01, "z", 60.0)
    models = ScriptedModels(script, flagged="evil")
    events = await play(guarded("openai_moderation", outputs=True), Turn("hi"), models)
    assert visible(events) == "Withdrawn."
    assert models.moderated[0] == "w" * 60 + "x" * 60
    assert models.moderated[1].startswith("x" * 50 + "evil"), "windows overlap"
    assert chunks(events)[:2] == ["w" * 60, "x" * 60], "text does not wait for the check"


async def test_a_moderation_model_reads_the_end_of_a_short_answer() -> None:
    models = ScriptedModels(("short ", "evil"), flagged="evil")
    events = await play(guarded("openai_moderation", outputs=True), Turn("hi"), models)
    assert chunks(events) == ["short ", "evil"]
    assert visible(events) == "Withdrawn."
    assert models.moderated == ["short evil"]


@pytest.mark.parametrize(("inputs", "outputs"), [(True, False), (False, True)])
async def test_a_moderation_model_that_fails_ends_the_run_in_its_error(inputs: bool, outputs: bool) -> None:
    class Broken(ScriptedModels):
        async def moderate(self, text: str) -> bool:
            raise ProviderNotInitialize("No moderation model.")

    events = await play(guarded("openai_moderation", inputs=inputs, outputs=outputs), Turn("hi"), Broken())
    last = events[-1]
    assert isinstance(last, RunFailed)
    assert (last.code, last.message) == ("provider_not_initialize", "No moderation model.")


async def test_leaving_a_run_cancels_a_check_that_is_under_way() -> None:
    cancelled = asyncio.Event()

    class Slow(ScriptedModels):
        async def moderate(self, text: str) -> bool:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return False

    models = Slow(("w" * 200, 0.01, "more", CompletionRequestError()))
    events = await play(guarded("openai_moderation", outputs=True), Turn("hi"), models)
    assert isinstance(events[-1], RunFailed) and cancelled.is_set()


@pytest.mark.parametrize("kind", ["api", "", "magic"])
async def test_a_kind_of_moderation_that_is_not_offered_is_refused_clearly(kind: str) -> None:
    models = ScriptedModels()
    with pytest.raises(AppUnavailable, match="Moderation"):
        await play(guarded(kind, inputs=True), Turn("hi"), models)
    assert models.requests == []


async def test_moderation_without_keywords_lets_everything_pass() -> None:
    events = await play(guarded(inputs=True, outputs=True, keywords=" \n"), Turn("bomb"), ScriptedModels(("bomb",)))
    assert visible(events) == "bomb"


_PARTS = some.lists(some.text("abA ", min_size=1, max_size=4), max_size=10)
_WORDS = some.lists(some.text("ab", min_size=1, max_size=4), min_size=1, max_size=3)


@given(_PARTS, _WORDS)
def test_chunk_borders_never_matter_to_keywords(parts: list[str], words: list[str]) -> None:
    watch = KeywordWatch(tuple(words))
    shown = ""
    for part in parts:
        shown += watch.feed(part)
        if watch.flagged:
            break
    whole = "".join(parts)
    hit = any(word in whole.lower() for word in words)
    assert watch.flagged == hit
    if hit:
        assert not any(word in shown.lower() for word in words)
    else:
        assert shown + watch.release() == whole


def test_a_keyword_across_a_release_is_still_found() -> None:
    watch = KeywordWatch(("secret",))
    assert (watch.feed("a sec"), watch.release(), watch.feed("re")) == ("a ", "sec", "")
    assert (watch.feed("ts"), watch.flagged) == ("", True)


def test_text_that_was_released_is_not_shown_again() -> None:
    watch = KeywordWatch(("secret",))
    assert (watch.feed("secr"), watch.release(), watch.feed("e"), watch.feed("x")) == ("", "secr", "", "ex")
    assert not watch.flagged


def test_a_very_long_keyword_is_looked_for_by_its_beginning_and_kept_as_it_was_written() -> None:
    long = "b" * 10_000
    app = guarded(outputs=True, keywords=f" {long} \n\nbomb\nbomb")
    rules = app.sensitive_word_avoidance.config
    assert rules.words == ("b" * LONGEST_KEYWORD, "bomb")
    assert dump(app)["sensitive_word_avoidance"]["config"]["keywords"] == rules.keywords
    watch = KeywordWatch(rules.words)
    assert watch.feed("b" * (LONGEST_KEYWORD - 1)) == ""
    assert watch.feed("b") == ""
    assert watch.flagged


@pytest.mark.parametrize(
    ("keywords", "chunk"),
    [("a" * 10_000 + "b", "a"), ("a" * 99 + "b", "a"), ("\n".join(f"word{n} of many" for n in range(1_000)), "word1 of all ")],
)
def test_a_watch_costs_little_for_each_chunk(keywords: str, chunk: str) -> None:
    watch = KeywordWatch(ModerationRules(keywords=keywords).words)
    watch.feed("x")
    began = time.thread_time()
    for _ in range(500):
        watch.feed(chunk)
        watch.flagged = False
    assert (time.thread_time() - began) / 500 < 0.001
