"""Witnesses of a crash: clients that note what they saw and when, and compare it with what was kept."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from difyproj.kernel import jsonio

from .process import Installation

TOKEN = re.compile(r"t(\d+)(?:@\S*)?$")
TERMINAL = ("message_end", "error")
BROKEN = (aiohttp.ClientError, asyncio.IncompleteReadError, ConnectionError)


@dataclass(slots=True)
class Question:
    """One question and everything its client saw of the answer. ``growth`` is when the text had how many characters."""

    body: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid4()))
    task_id: str = ""
    message_id: str = ""
    conversation_id: str = ""
    text: str = ""
    last_id: int = 0
    end: dict[str, Any] | None = None
    status: int = 0
    events: list[str] = field(default_factory=list)
    growth: list[tuple[float, int]] = field(default_factory=list)

    @property
    def query(self) -> str:
        return str(self.body["query"])

    @property
    def is_streaming(self) -> bool:
        return self.body["response_mode"] == "streaming"

    def note(self, number: int, record: dict[str, Any]) -> None:
        """A record that came. Asserts that nothing comes twice."""
        assert number > self.last_id, f"{number} came after {self.last_id}"
        self.last_id = number
        event = record["event"]
        self.events.append(event)
        self.task_id = record.get("task_id", self.task_id)
        self.message_id = record.get("message_id", self.message_id)
        self.conversation_id = record.get("conversation_id", self.conversation_id)
        if event == "message":
            self.text += record["answer"]
        elif event == "message_replace":
            self.text = record["answer"]
        elif event in TERMINAL:
            self.end = record
        self.growth.append((time.monotonic(), len(self.text)))

    def lost_seconds(self, kept: str, killed_at: float) -> float:
        """How old the newest text was that was seen and not kept: seconds before the kill, 0 when all was kept."""
        return max((killed_at - moment for moment, size in self.growth if size > len(kept)), default=0.0)


def numbers(text: str) -> list[int]:
    """The numbers of the tokens of a text; raises AssertionError for a word that is none. A last word may be cut."""
    found = [TOKEN.match(word) for word in text.split()]
    assert all(found), f"strange words in {text[:200]!r}"
    return [int(match[1]) for match in found if match]


@dataclass(slots=True)
class Crowd:
    """Clients of one installation, all of them the user ``u1`` of its chat app."""

    installation: Installation
    client: aiohttp.ClientSession
    url: str
    random: random.Random = field(default_factory=random.Random)
    questions: list[Question] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def question(self, spec: str, *, streaming: bool = True, conversation_id: str = "") -> Question:
        """A question that no other has; ``spec`` is ``TOKENS-FIRSTMS-TOKENMS``."""
        body = {
            "inputs": {},
            "query": f"{uuid4()} bench-{spec}",
            "user": "u1",
            "response_mode": "streaming" if streaming else "blocking",
            "conversation_id": conversation_id,
            "auto_generate_name": False,
        }
        made = Question(body)
        self.questions.append(made)
        return made

    async def ask(self, question: Question, *, at: str = "") -> Question:
        """Post the question and note its answer to the end. Raises what a broken connection raises."""
        headers = {"Authorization": f"Bearer {self.installation.token()}", "Idempotency-Key": question.key}
        async with self.client.post(f"{at or self.url}/v1/chat-messages", json=question.body, headers=headers) as response:
            question.status = response.status
            if response.status == 200 and question.is_streaming:
                await self._read(question, response)
            else:
                _note_body(question, jsonio.loads(await response.read()))
        return question

    async def resume(self, question: Question, *, at: str = "", after: int | None = None) -> Question:
        """Follow the question's run from the last id that was seen, to its end."""
        headers = {"Authorization": f"Bearer {self.installation.token()}", "Last-Event-ID": str(question.last_id)}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
            question.last_id, question.text = after, ""
        address = f"{at or self.url}/v1/runs/{question.task_id}/events"
        async with self.client.get(address, params={"user": "u1"}, headers=headers) as response:
            question.status = response.status
            assert response.status == 200, await response.text()
            await self._read(question, response)
        return question

    async def _read(self, question: Question, response: aiohttp.ClientResponse) -> None:
        async for number, record in frames(response):
            question.note(number, record)

    def gather(self, people: int) -> None:
        """``people`` begin to ask one question after another, until the server is gone."""
        self._tasks = [asyncio.create_task(self._keep_asking(place)) for place in range(people)]

    async def scatter(self) -> None:
        """Wait until everyone has noticed that the server is gone."""
        await asyncio.gather(*self._tasks)
        self._tasks = []

    async def _keep_asking(self, place: int) -> None:
        conversation_id = ""
        await asyncio.sleep(self.random.random())
        while True:
            spec = f"{self.random.randint(20, 400)}-{self.random.randint(5, 80)}-{self.random.randint(10, 30)}"
            streaming, goes_on = self.random.random() < 0.7, self.random.random() < 0.5
            asked = self.question(spec, streaming=streaming, conversation_id=conversation_id if goes_on else "")
            try:
                await self.ask(asked)
            except BROKEN:
                return
            conversation_id = asked.conversation_id


async def frames(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """The numbered records of a stream as they come; pings are left out."""
    while block := await response.content.readuntil(b"\n\n") if not response.content.at_eof() else b"":
        data, _, rest = block.partition(b"\n")
        if data.startswith(b"data: "):
            yield int(rest.strip().removeprefix(b"id: ")), jsonio.loads(data[6:])


def _note_body(question: Question, body: dict[str, Any]) -> None:
    question.end = body
    if question.status == 200:
        question.task_id, question.message_id = body["task_id"], body["message_id"]
        question.conversation_id, question.text = body["conversation_id"], body["answer"]


@dataclass(slots=True)
class Kept:
    """The row of a question: what the server knows of it."""

    message_id: str
    run_id: str
    answer: str
    status: str
    error_code: str


def kept(installation: Installation, questions: Sequence[Question]) -> dict[str, list[Kept]]:
    """Every message row of the questions, by query."""
    found: dict[str, list[Kept]] = {question.query: [] for question in questions}
    rows = installation.rows(
        "SELECT m.query, m.id, r.id, m.answer, r.status, r.error_code FROM apps_message m JOIN apps_run r ON r.id = m.run_id"
    )
    for query, message_id, run_id, *rest in rows:
        if query in found:
            found[query].append(Kept(_plain(message_id), _plain(run_id), *rest))
    return found


def _plain(value: Any) -> str:
    return str(value).replace("-", "")
