"""Graphs, apps that run them, and short ways to ask such apps behind the door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from apps import generation
from apps.generation import GenerateRequest
from apps.models import App
from apps.services import apps, end_users
from difyproj.kernel.principal import ActorKind, Principal, Tier
from difyproj.testing.cast import Person
from difyproj.testing.served import MODEL, PROVIDER
from workflows.services import drafts, versions

LLM = {"provider": PROVIDER, "name": MODEL, "mode": "chat", "completion_params": {}}


def node(node_id: str, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": node_id, "data": {"type": kind, "title": node_id.title(), **data}}


def edge(source: str, target: str, handle: str = "source") -> dict[str, Any]:
    return {"source": source, "target": target, "sourceHandle": handle}


def row(*nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes one after another."""
    names = [str(one["id"]) for one in nodes]
    return {"nodes": list(nodes), "edges": [edge(*pair) for pair in pairwise(names)]}


def start(*variables: Mapping[str, Any]) -> dict[str, Any]:
    return node("start", "start", variables=list(variables))


def text_input(name: str, **fields: Any) -> dict[str, Any]:
    return {"variable": name, "label": name, "type": "text-input", "required": True, "max_length": 100, **fields}


def end(**outputs: Sequence[str]) -> dict[str, Any]:
    rows = [{"variable": name, "value_selector": list(selector)} for name, selector in outputs.items()]
    return node("end", "end", outputs=rows)


def llm(node_id: str = "llm", text: str = "{{#sys.query#}}", **data: Any) -> dict[str, Any]:
    return node(node_id, "llm", model=LLM, prompt_template=[{"role": "user", "text": text}], **data)


def answer(text: str, node_id: str = "answer") -> dict[str, Any]:
    return node(node_id, "answer", answer=text)


def template(node_id: str, text: str, **variables: Sequence[str]) -> dict[str, Any]:
    rows = [{"variable": name, "value_selector": list(selector)} for name, selector in variables.items()]
    return node(node_id, "template-transform", template=text, variables=rows)


ECHO = row(start(text_input("word")), end(said=("start", "word")))


def make_flow(person: Person, graph: Mapping[str, Any], mode: str = "workflow", **parts: Any) -> App:
    """A published app of the person's tenant."""
    app = apps.create(tenant=person.tenant, name=f"A {mode}", mode=mode, created_by_id=person.account.pk)
    publish(app, graph, **parts)
    return app


def publish(app: App, graph: Mapping[str, Any], **parts: Any) -> None:
    drafts.save(app, by=None, given_hash=None, graph=graph, **{"features": {}, **parts})
    versions.publish(app, by=None)


def end_user(app: App, name: str = "u1", tier: Tier = Tier.SERVICE) -> Principal:
    user = end_users.resolve(app, name, type=Tier.SERVICE)
    return Principal(app.tenant_id, ActorKind.END_USER, user.pk, tier, app_id=app.pk)


@dataclass(slots=True)
class Asked:
    """A run that was begun, and who began it."""

    principal: Principal
    run_id: UUID

    async def events(self, *, after: int = 0) -> list[tuple[int, Any]]:
        reader = await generation.subscribe(self.principal, self.run_id, after=after)
        found: list[tuple[int, Any]] = []
        while not reader.finished:
            found += await reader.events()
        return found

    async def records(self, *, after: int = 0, continue_on_pause: bool = False) -> list[tuple[int, dict[str, Any]]]:
        reader = await generation.subscribe(self.principal, self.run_id, after=after, continue_on_pause=continue_on_pause)
        found: list[tuple[int, dict[str, Any]]] = []
        while not reader.finished:
            found += await reader.next()
        return found

    async def whole(self) -> dict[str, Any]:
        return await (await generation.subscribe(self.principal, self.run_id)).whole()


async def ask(app: App, *, tier: Tier = Tier.SERVICE, query: str = "", **fields: Any) -> Asked:
    principal = await sync_to_async(end_user)(app, tier=tier)
    request = GenerateRequest(query=query, auto_generate_name=False, **fields)
    return Asked(principal, await sync_to_async(generation.generate)(principal, app, request))


def names(records: Sequence[tuple[int, Mapping[str, Any]]]) -> list[str]:
    return [str(record["event"]) for _, record in records]
