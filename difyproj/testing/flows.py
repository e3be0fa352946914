"""Apps that are graphs for tests: small graphs, published, with a token, and runs of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from apps import generation
from apps.generation import GenerateRequest
from apps.models import App
from apps.models.token import TokenKind
from apps.services import apps, end_users, tokens
from difyproj.kernel.principal import ActorKind, Principal, Tier
from workflows.models import Workflow
from workflows.services import drafts, graphs, versions

from .cast import Person
from .served import Key

WORD = {"variable": "word", "label": "Word", "type": "paragraph", "required": True, "max_length": 1_000}
START = ("start", {"type": "start", "title": "Start", "variables": [WORD]})
BARE_START = ("start", {"type": "start", "title": "Start", "variables": []})
END = ("end", {"type": "end", "title": "End", "outputs": [{"variable": "said", "value_selector": ["start", "word"]}]})
QUESTION = {
    "type": "human-input", "title": "Approve", "form_content": "Is this right? {{#start.word#}} {{#$output.note#}}",
    "inputs": [{"type": "paragraph", "output_variable_name": "note", "default": {"type": "constant", "value": "Fine"}}],
    "user_actions": [{"id": "yes", "title": "Yes", "button_style": "primary"}, {"id": "no", "title": "No"}],
    "timeout": 3, "timeout_unit": "day",
}  # fmt: skip

HOOK = {
    "type": "trigger-webhook", "title": "Hook", "method": "post", "content_type": "application/json",
    "body": [{"name": "word", "type": "string", "required": True}],
}  # fmt: skip
HOOK_END = {"type": "end", "title": "End", "outputs": [{"variable": "said", "value_selector": ["hook", "word"]}]}

# Says its word; answers with the question; asks a person whether the word is right, and says it after a yes; says the word of
# a call.
ECHO = graphs.drawn([START, END])
TALK = graphs.drawn([BARE_START, ("answer", {"type": "answer", "title": "Answer", "answer": "You said {{#sys.query#}}."})])
ASKING = graphs.drawn([START, ("ask", QUESTION), END])
ASKING["edges"][1]["sourceHandle"] = "yes"
ASKING_IN_CHAT = graphs.drawn(
    [BARE_START, ("ask", QUESTION), ("answer", {"type": "answer", "title": "Answer", "answer": "Well."})]
)
ASKING_IN_CHAT["edges"][1]["sourceHandle"] = "yes"
HOOKED = graphs.drawn([("hook", HOOK), ("end", HOOK_END)])


def make_flow(person: Person, graph: Mapping[str, Any], mode: str = "workflow", **parts: Any) -> Key:
    """A published app of the person's tenant with a token; ``parts`` are the draft's others."""
    app = apps.create(tenant=person.tenant, name=f"{person.account.name}'s {mode}", mode=mode, created_by_id=person.account.pk)
    publish(app, graph, by=person.account.pk, **parts)
    _, token = tokens.create(tenant=person.tenant, app=app, kind=TokenKind.APP)
    return Key(app, token)


def publish(app: App, graph: Mapping[str, Any], *, by: UUID | None = None, **parts: Any) -> Workflow:
    drafts.save(app, by=by, given_hash=None, graph=graph, **{"features": {}, **parts})
    return versions.publish(app, by=by)


def end_user(app: App, name: str = "u1") -> Principal:
    user = end_users.resolve(app, name, type=Tier.SERVICE)
    return Principal(app.tenant_id, ActorKind.END_USER, user.pk, Tier.SERVICE, app.pk)


async def run(app: App, *, debugger: Person | None = None, **fields: Any) -> dict[str, Any]:
    """The body of a whole run by the app's user ``u1``, or of a debug run by ``debugger``."""
    if debugger is None:
        principal = await sync_to_async(end_user)(app)
    else:
        principal = replace(debugger.principal, app_id=app.pk)
        fields = {"target": generation.DRAFT, **fields}
    asked = GenerateRequest(auto_generate_name=False, **fields)
    run_id = await sync_to_async(generation.generate)(principal, app, asked)
    return await (await generation.subscribe(principal, run_id)).whole()
