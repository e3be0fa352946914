"""Golden transcripts of the Web API: what a page hears, byte for byte, ids and times aside."""

from __future__ import annotations

import pytest

from difyproj.testing.console import TierClient
from difyproj.testing.served import Answer, Served
from difyproj.testing.transcripts import Transcript
from difyproj.testing.upstream import Script

from .test_transcripts import FOLDER, MODES, key_of, moderation
from .visits import ask, visit, write


async def act(house: Served, family: str, name: str) -> TierClient:
    """Ask in both modes and compare each with its file."""
    visitor = await visit(house, key_of(house, family))
    for mode in MODES:
        told = Transcript()
        answer = await say(visitor, family, mode)
        told.note(f"{answer.status} {answer.headers['Content-Type']}")
        told.add(answer.body)
        told.check(FOLDER / f"web_{family}_{name}_{mode}.txt")
    return visitor


async def say(visitor: TierClient, family: str, mode: str) -> Answer:
    return await (ask(visitor, response_mode=mode) if family == "chat" else write(visitor, response_mode=mode))


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_plain_answer(house: Served, family: str) -> None:
    house.upstream.script = Script(tokens=['Grüß Gott,\n"世界" 🌍!'])
    visitor = await act(house, family, "plain")
    told = Transcript()
    if family == "chat":
        conversation = (await visitor.get("/conversations", limit="1")).json()["data"][0]["id"]
        told.add((await visitor.get("/messages", conversation_id=conversation)).body)
        told.check(FOLDER / "web_chat_plain_history.txt")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_an_answer_that_is_moderated(house: Served, family: str) -> None:
    await house.configure(key_of(house, family), sensitive_word_avoidance=moderation("outputs_config"))
    house.upstream.script = Script(tokens=["It is forbidden to say."])
    await act(house, family, "output_moderated")
