"""Kills in the midst of graphs that call a service which counts: nothing that was kept is done again."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp import web

from difyproj.kernel import jsonio

from .crash import until_none_runs
from .flow_crash import BROKEN, NODES, ONCE, FlowQuestion
from .process import Installation, ServerProcess

MODES = ("workflow", "advanced-chat")
ANSWER_SECONDS = 0.03
# Two branches, each with a model between two requests, that meet and go on; run inside the installation. @@ is the service.
MAKE = """
from apps.models import App
from apps.services import apps, tokens
from apps.models.token import TokenKind
from workflows.services import drafts, versions
model = {"provider": "openai", "name": "bench-20-10-5", "mode": "chat", "completion_params": {}}
def node(name, kind, **data):
    return {"id": name, "data": {"type": kind, "title": name, **data}}
def llm(name):
    return node(name, "llm", model=model, prompt_template=[{"role": "user", "text": "Hello"}])
def http(name):
    return node(name, "http-request", method="post", url="@@/{{#sys.workflow_run_id#}}/" + name)
def make(mode, last):
    nodes = [node("start", "start", variables=[]), http("a1"), llm("a2"), http("a3"), http("b1"), llm("b2"), http("b3"),
             http("both"), llm("told"), node("pick", "variable-aggregator", variables=[["told", "text"]]), http("sum"), last]
    pairs = ["start a1", "a1 a2", "a2 a3", "a3 both", "start b1", "b1 b2", "b2 b3", "b3 both", "both told", "told pick",
             "pick sum", "sum last"]
    edges = [dict(zip(("source", "target"), pair.split()), sourceHandle="source") for pair in pairs]
    tenant = App.objects.first().tenant
    app = apps.create(tenant=tenant, name="Counted " + mode, mode=mode, created_by_id=None)
    drafts.save(app, by=None, given_hash=None, graph={"nodes": nodes, "edges": edges}, features={})
    versions.publish(app, by=None)
    print("token:" + tokens.create(tenant=tenant, app=app, kind=TokenKind.APP)[1])
outputs = [{"variable": name, "value_selector": [name, "text"]} for name in ("a2", "b2", "told")]
make("workflow", node("last", "end", outputs=outputs))
make("advanced-chat", node("last", "answer", answer="{{#a2.text#}}\\n{{#b2.text#}}\\n{{#told.text#}}"))
"""
ENDED = "SELECT run_id, node_id FROM workflows_nodeexecution WHERE finished_event_id IS NOT NULL AND node_type = 'http-request'"


@dataclass(slots=True)
class Service:
    """How often each run has come by with each of its nodes."""

    url: str
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def answer(self, request: web.Request) -> web.Response:
        run_id, node_id = request.path.strip("/").split("/")
        self.seen[str(UUID(run_id)), node_id] += 1
        await asyncio.sleep(ANSWER_SECONDS)
        return web.json_response({"node": node_id})


@asynccontextmanager
async def counting(port: int) -> AsyncIterator[Service]:
    service = Service(f"http://127.0.0.1:{port}")
    application = web.Application()
    application.router.add_post("/{tail:.*}", service.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield service
    finally:
        await runner.cleanup()


def make_apps(installation: Installation, service: Service) -> dict[str, str]:
    """An app of each mode in a started installation; their tokens."""
    done = installation.manage("shell", "-c", MAKE.replace("@@", service.url))
    tokens = [line.removeprefix("token:") for line in done.stdout.splitlines() if line.startswith("token:")]
    assert len(tokens) == len(MODES), done.stderr[-2000:]
    return dict(zip(MODES, tokens, strict=True))


@dataclass(slots=True)
class Killed:
    """What one kill cost. ``kept`` are requests whose ends were kept, ``repeated`` those made once more because
    theirs were not; times in seconds."""

    runs: int = 0
    interrupted: int = 0
    kept: int = 0
    repeated: int = 0
    replaced: int = 0
    end_seconds: float = 0.0


@dataclass(slots=True)
class Round:
    """A crowd asks a server, which is killed within ``longest_wait`` seconds after the first run began; it reads on from
    another process or from the next start."""

    installation: Installation
    service: Service
    tokens: dict[str, str]
    dice: random.Random
    people: int = 6
    longest_wait: float = 1.0
    asked: list[FlowQuestion] = field(default_factory=list)

    async def kill(self, server: ServerProcess, other: ServerProcess | None) -> tuple[Killed, ServerProcess]:
        """Gives the process that took the dead one's place."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            self.asked = [FlowQuestion(client, self.tokens[MODES[at % 2]], mode=MODES[at % 2]) for at in range(self.people)]
            asking = [asyncio.create_task(self._ask(one, server.url)) for one in self.asked]
            async with asyncio.timeout(30):
                while not any(one.task_id for one in self.asked):
                    await asyncio.sleep(0.005)
            await asyncio.sleep(self.dice.uniform(0, self.longest_wait))
            killed_at = await asyncio.to_thread(server.kill)
            ours = {one.task_id for one in self.asked}
            before = {key: self.service.seen[key] for key in self._ended(ours)}
            await asyncio.gather(*asking)
            starting = asyncio.create_task(asyncio.to_thread(self.installation.start))
            alive = other or await starting
            reading = [one for one in self.asked if one.task_id and not one.is_over]
            following = [asyncio.create_task(one.resume(alive.url)) for one in reading]
            await until_none_runs(self.installation, 40)
            end_seconds = time.monotonic() - killed_at
            await asyncio.wait_for(asyncio.gather(*following), 20)
        self._compare(before)
        repeated = sum(count - 1 for key, count in self.service.seen.items() if key[0] in ours)
        replaced = sum(bool(one.seen["message_replace", ""] or one.seen["text_replace", ""]) for one in self.asked)
        told = sum(bool(one.task_id) for one in self.asked)
        return Killed(told, len(reading), len(before), repeated, replaced, end_seconds), await starting

    async def _ask(self, question: FlowQuestion, url: str) -> None:
        await asyncio.sleep(self.dice.uniform(0, 0.3))
        try:
            await question.ask(url)
        except BROKEN:
            return

    def _ended(self, runs: set[str]) -> list[tuple[str, str]]:
        rows = [(str(UUID(str(run))), str(node)) for run, node in self.installation.rows(ENDED)]
        return [row for row in rows if row[0] in runs]

    def _compare(self, before: dict[tuple[str, str], int]) -> None:
        assert {key: self.service.seen[key] for key in before} == before == dict.fromkeys(before, 1), "done again though kept"
        for question in self.asked:
            if not question.task_id:
                continue
            key = UUID(question.task_id)
            made = {node: count for (run, node), count in self.service.seen.items() if run == str(key)}
            assert len(made) == 6, f"{made} instead of six requests"
            assert max(made.values()) <= 2, f"{made}: one kill cannot repeat a request twice"
            told = {event: count for event, count in question.seen.items() if event[0] in ONCE}
            assert set(told.values()) == {1} and len(told) == 2 * NODES + 2, told
            assert question.text == self._kept(question), "the reader holds another text than the rows"

    def _kept(self, question: FlowQuestion) -> str:
        run_id = UUID(question.task_id)
        key = str(run_id) if self.installation.database_url else run_id.hex
        status = self.installation.rows("SELECT status FROM apps_run WHERE id = %s", key)
        assert status == [("succeeded",)], status
        if question.mode == "advanced-chat":
            return str(self.installation.rows("SELECT answer FROM apps_message WHERE run_id = %s", key)[0][0])
        kept: Any = self.installation.rows("SELECT outputs FROM workflows_workflowrun WHERE run_id = %s", key)[0][0]
        outputs = jsonio.loads(kept) if isinstance(kept, str | bytes) else kept
        assert question.outputs == outputs
        return "\n".join(outputs.values())
