"""A chatflow of an installation, asked by clients who note every event, so that a killed server can be held to its word."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from difyproj.kernel import jsonio

from .process import Installation

BROKEN = (aiohttp.ClientError, asyncio.IncompleteReadError, ConnectionError)
# Told once each, whatever happens in between.
ONCE = ("workflow_started", "node_started", "node_finished", "workflow_finished")
# Two branches with models of their own that meet again, and more nodes on the way; run inside the installation.
MAKE = """
from apps.models import App
from apps.services import apps, tokens
from apps.models.token import TokenKind
from workflows.services import drafts, versions
model = {"provider": "openai", "name": "bench-50-5-5", "mode": "chat", "completion_params": {}}
def node(name, kind, **data):
    return {"id": name, "data": {"type": kind, "title": name, **data}}
def llm(name):
    return node(name, "llm", model=model, prompt_template=[{"role": "user", "text": "{{#sys.query#}}"}])
def pick(name, source):
    return node(name, "variable-aggregator", output_type="string", variables=[[source, "text"]])
nodes = [node("start", "start", variables=[]), llm("a1"), pick("a2", "a1"), llm("a3"), pick("a4", "a3"), llm("b1"),
         pick("b2", "b1"), llm("b3"), pick("b4", "b3"), llm("last"), pick("shaped", "last"),
         node("answer", "answer", answer="{{#a1.text#}} / {{#b3.text#}} / {{#last.text#}}")]
pairs = ["start a1", "a1 a2", "a2 a3", "a3 a4", "a4 last", "start b1", "b1 b2", "b2 b3", "b3 b4", "b4 last", "last shaped",
         "shaped answer"]
edges = [dict(zip(("source", "target"), pair.split()), sourceHandle="source") for pair in pairs]
tenant = App.objects.first().tenant
app = apps.create(tenant=tenant, name="Flow", mode="advanced-chat", created_by_id=None)
drafts.save(app, by=None, given_hash=None, graph={"nodes": nodes, "edges": edges}, features={})
versions.publish(app, by=None)
print("token:" + tokens.create(tenant=tenant, app=app, kind=TokenKind.APP)[1])
"""
NODES = 12


def make_flow(installation: Installation) -> str:
    """The chatflow in a started installation; its token."""
    done = installation.manage("shell", "-c", MAKE)
    assert "token:" in done.stdout, done.stderr[-2000:]
    return done.stdout.rpartition("token:")[2].strip()


@dataclass(slots=True)
class FlowQuestion:
    """One question and everything that its client saw."""

    client: aiohttp.ClientSession
    token: str
    mode: str = "advanced-chat"
    query: str = field(default_factory=lambda: f"{uuid4()} bench-30-20-20")
    task_id: str = ""
    text: str = ""
    outputs: Any = None
    last_id: int = 0
    is_over: bool = False
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def ask(self, url: str) -> None:
        body: dict[str, Any] = {"inputs": {}, "user": "u1", "response_mode": "streaming"}
        path = "/v1/workflows/run"
        if self.mode == "advanced-chat":
            path, body = "/v1/chat-messages", {**body, "query": self.query, "auto_generate_name": False}
        async with self.client.post(url + path, json=body, headers=self._headers()) as response:
            assert response.status == 200, await response.text()
            await self._read(response)

    async def resume(self, url: str) -> None:
        headers = {**self._headers(), "Last-Event-ID": str(self.last_id)}
        address = f"{url}/v1/runs/{self.task_id}/events"
        async with self.client.get(address, params={"user": "u1"}, headers=headers) as response:
            assert response.status == 200, await response.text()
            await self._read(response)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        while block := await response.content.readuntil(b"\n\n"):
            data, _, number = block.decode().strip().partition("\n")
            if not data.startswith("data: "):
                continue
            self._note(int(number.removeprefix("id: ")), jsonio.loads(data.removeprefix("data: ")))
            if self.is_over:
                return

    def _note(self, number: int, record: dict[str, Any]) -> None:
        """Asserts that nothing comes twice."""
        assert number > self.last_id, f"{number} came after {self.last_id}: {record}, {self.seen}"
        self.last_id, event = number, record["event"]
        self.task_id = record.get("task_id", self.task_id)
        self.seen[event, str(record.get("data", {}).get("node_id", ""))] += 1
        if event == "message":
            self.text += record["answer"]
        elif event == "message_replace":
            self.text = record["answer"]
        elif event == "text_chunk":
            self.text += record["data"]["text"]
        elif event == "text_replace":
            self.text = record["data"]["text"]
        elif event == "workflow_finished":
            self.is_over, self.outputs = True, record["data"]["outputs"]


def finished_nodes(installation: Installation) -> dict[str, Any]:
    """When each node ended whose end was kept, by its execution."""
    found = installation.rows("SELECT id, finished_at FROM workflows_nodeexecution WHERE finished_event_id IS NOT NULL")
    return {str(row[0]): str(row[1]) for row in found}
