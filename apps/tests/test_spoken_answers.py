"""Answers that are played at once: their sentences are spoken while the text streams."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from apps.config import parse
from apps.modes import mode_for
from apps.modes.mode import CHAT, Turn
from apps.modes.run import run
from difyproj.kernel.errors import CompletionRequestError
from difyproj.testing.fakes import ScriptedModels, scripted
from difyproj.testing.served import Served
from workflows.engine.events import RunEvent, SpeechChunk, TextReplaced
from workflows.engine.state import RunState

MODEL = {"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {}}
SPOKEN = {"enabled": True, "voice": "alloy", "autoPlay": "enabled"}
LONG = "This is the first sentence, long enough to be said alone. "


async def spoken(*script: Any, models: ScriptedModels | None = None, **config: Any) -> list[RunEvent]:
    ports = scripted(*script)
    if models is not None:
        ports = type(ports)(models=models, files=ports.files)
    settings = parse({"model": MODEL, "text_to_speech": SPOKEN, **config})
    turn = Turn(query="Speak!", inputs={})
    return [event async for event in run(mode_for("chat", CHAT), settings, turn, ports, state=RunState())]


def sounds(events: list[RunEvent]) -> list[str]:
    return [base64.b64decode(event.audio).decode() for event in events if isinstance(event, SpeechChunk)]


async def test_sentences_are_spoken_in_order_and_the_speech_ends_before_the_run() -> None:
    events = await spoken(LONG, 0.01, "The second", " one.")
    assert sounds(events) == [f"alloy:{LONG.strip()}", "alloy:The second one.", ""]
    assert type(events[-1]).__name__ == "RunFinished"
    assert [type(event).__name__ for event in events].index("SpeechChunk") < len(events) - 3


async def test_an_app_that_does_not_play_its_answers_is_silent() -> None:
    assert sounds(await spoken("Hello.", text_to_speech={"enabled": True, "autoPlay": "disabled"})) == []


async def test_a_withdrawn_text_is_not_spoken() -> None:
    rules = {"keywords": "bomb", "outputs_config": {"enabled": True, "preset_response": "No."}}
    events = await spoken(
        "A bomb is", " here.", sensitive_word_avoidance={"enabled": True, "type": "keywords", "config": rules}
    )
    assert any(isinstance(event, TextReplaced) for event in events)
    assert sounds(events) == ["alloy:No.", ""]


async def test_a_speech_model_that_fails_leaves_the_answer_alone() -> None:
    class Hoarse(ScriptedModels):
        def speak(self, text: str, *, voice: str = "") -> Any:
            raise CompletionRequestError

    async with asyncio.timeout(2):
        events = await spoken(models=Hoarse((LONG, 0.01, LONG, 0.01, "The end.")))
    assert sounds(events) == [""]
    assert type(events[-1]).__name__ == "RunFinished"


async def test_nobody_speaks_to_a_caller_who_waits_for_the_whole_answer(house: Served) -> None:
    await house.configure(house.chat, text_to_speech=SPOKEN)
    answer = await house.ask(response_mode="blocking")
    assert (answer.status, answer.json()["answer"]) == (200, "Hello, world!")
    assert [received.path for received in house.upstream.received if "speech" in received.path] == []


async def test_the_stream_carries_the_sound_as_tts_messages(house: Served) -> None:
    await house.configure(house.chat, text_to_speech=SPOKEN)
    frames = (await house.ask()).frames
    assert [frame.event for frame in frames[-3:]] == ["tts_message", "tts_message_end", "message_end"]
    assert base64.b64decode(frames[-3].record["audio"]) == house.upstream.script.audio
    assert frames[-2].record["audio"] == ""
