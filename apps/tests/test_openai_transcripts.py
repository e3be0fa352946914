"""Golden transcripts of chat completions: every byte of the stream and of the one body, ids and times aside."""

from __future__ import annotations

from typing import Any

import pytest

from difyproj.testing.served import Served
from difyproj.testing.transcripts import Transcript
from difyproj.testing.upstream import Script

from .openai_client import complete
from .test_transcripts import FOLDER, moderation

SCENES: dict[str, Script] = {
    "plain": Script(tokens=["Grüß ", "Gott,\n", '"世界"', " 🌍!"], delay=0.1),
    "cut_short": Script(tokens=["One ", "two"], delay=0.1, finish="length"),
    "stream_error": Script(tokens=["One ", "two "], delay=0.1, stream_error="The model is tired."),
    "withdrawn": Script(tokens=["It is ", "for", "bid", "den", " to say."], delay=0.1),
}


@pytest.mark.parametrize("scene", SCENES)
async def test_a_chat_completion(house: Served, scene: str) -> None:
    house.upstream.script = SCENES[scene]
    if scene == "withdrawn":
        await house.configure(house.chat, sensitive_word_avoidance=moderation("outputs_config"))
    told = Transcript()
    for fields in ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, {}):
        given: dict[str, Any] = dict(fields)
        answer = await complete(house, **given)
        told.note(f"{given}: {answer.status} {answer.headers['Content-Type']}")
        told.add(answer.body)
    told.check(FOLDER / f"openai_{scene}.txt")
