"""The two-tenant sweep of the Web API: every route, called by strangers with a visitor's ids, finds and breaks nothing.

The rows come from the URL table: a route without an entry here fails the first test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async

from accounts.models import SessionScope
from accounts.services import sessions
from apps.models import (
    App,
    Conversation,
    EndUser,
    Feedback,
    Message,
    PinnedConversation,
    Run,
    SavedMessage,
    UploadFile,
)
from apps.models.token import TokenKind
from apps.services import sites, tokens
from difyproj.testing.cast import Person
from difyproj.testing.console import TierClient, signed_in, visiting
from difyproj.testing.flows import ASKING, make_flow
from difyproj.testing.served import Answer, Served, make_app
from workflows.models import HumanInputForm, NodeExecution, WorkflowRun

from .routes import Route, routes
from .test_tenancy import FILE, IMAGES, SECRET, filled

OK, EMPTY, WRONG, NOT_FOUND = frozenset({200}), frozenset({204}), frozenset({400}), frozenset({404})
FAMILIES, FLOW = ("chat", "completion"), "flow"
ASK = {"inputs": {}, "query": "x"}
FEATURES = {
    "file_upload": IMAGES,
    "text_to_speech": {"enabled": True},
    "speech_to_text": {"enabled": True},
    "more_like_this": {"enabled": True},
    "suggested_questions_after_answer": {"enabled": True},
}
Visitors = Mapping[str, TierClient]
Ids = Mapping[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """How a route is called, and the statuses that a stranger may get (see test_tenancy)."""

    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)
    allowed: frozenset[int] = NOT_FOUND
    family: str = "chat"


ENTRIES: dict[tuple[str, str], Entry] = {
    ("get", "/api/site"): Entry(allowed=OK),
    ("get", "/api/parameters"): Entry(allowed=OK),
    ("get", "/api/meta"): Entry(allowed=OK),
    ("post", "/api/chat-messages"): Entry({**ASK, "conversation_id": "{conversation_id}"}),
    ("post", "/api/chat-messages/{task_id}/stop"): Entry(allowed=OK),
    ("post", "/api/completion-messages"): Entry(
        {**ASK, "files": [{**FILE, "upload_file_id": "{file_id}"}]}, allowed=WRONG, family="completion"
    ),
    ("post", "/api/completion-messages/{task_id}/stop"): Entry(allowed=OK, family="completion"),
    ("post", "/api/workflows/run"): Entry(
        {"inputs": {"word": "x"}, "files": [{**FILE, "upload_file_id": "{file_id}"}]}, allowed=WRONG, family="flow"
    ),
    ("post", "/api/workflows/tasks/{task_id}/stop"): Entry(allowed=OK, family="flow"),
    ("get", "/api/workflow/{workflow_run_id}/events"): Entry(query={"include_state_snapshot": "true"}, family="flow"),
    ("get", "/api/messages/{message_id}/more-like-this"): Entry(query={"response_mode": "blocking"}, family="completion"),
    ("get", "/api/runs/{task_id}/events"): Entry(),
    ("get", "/api/conversations"): Entry(query={"last_id": "{conversation_id}"}),
    ("delete", "/api/conversations/{conversation_id}"): Entry(),
    ("post", "/api/conversations/{conversation_id}/name"): Entry({"name": "Stolen"}),
    ("patch", "/api/conversations/{conversation_id}/pin"): Entry(),
    ("patch", "/api/conversations/{conversation_id}/unpin"): Entry(allowed=OK),
    ("get", "/api/messages"): Entry(query={"conversation_id": "{conversation_id}"}),
    ("get", "/api/messages/{message_id}/suggested-questions"): Entry(),
    ("post", "/api/messages/{message_id}/feedbacks"): Entry({"rating": "dislike"}),
    ("get", "/api/saved-messages"): Entry(query={"last_id": "{message_id}"}, family="completion"),
    ("post", "/api/saved-messages"): Entry({"message_id": "{message_id}"}, family="completion"),
    ("delete", "/api/saved-messages/{message_id}"): Entry(allowed=EMPTY, family="completion"),
    ("post", "/api/files/upload"): Entry(allowed=WRONG),
    ("post", "/api/remote-files/upload"): Entry({"url": "{file_id}"}, allowed=WRONG),
    ("get", "/api/remote-files/{url}"): Entry(allowed=WRONG),
    ("post", "/api/audio-to-text"): Entry(allowed=WRONG),
    ("post", "/api/text-to-audio"): Entry({"message_id": "{message_id}"}),
}
# What a page asks before there is a passport. Nothing here is anybody's, so that the statuses are those of any caller.
OPEN: dict[tuple[str, str], Entry] = {
    ("get", "/api/passport"): Entry(query={"user_id": "{end_user_id}"}, allowed=frozenset({401})),
    ("get", "/api/system-features"): Entry(allowed=OK),
    ("get", "/api/webapp/access-mode"): Entry(query={"appId": "{app_id}"}, allowed=OK),
    ("get", "/api/webapp/permission"): Entry(query={"appId": "{app_id}"}, allowed=OK),
    ("get", "/api/login/status"): Entry(query={"user_id": "{end_user_id}"}, allowed=OK),
    ("post", "/api/login"): Entry({}, allowed=WRONG),
    ("get", "/api/form/human_input/{form_token}"): Entry(),
    ("post", "/api/form/human_input/{form_token}"): Entry({"action": "yes", "inputs": {}}),
    ("post", "/api/form/human_input/{form_token}/upload-token"): Entry({}),
    ("post", "/api/human-input-forms/files"): Entry({}, allowed=frozenset({401, 403})),
    ("post", "/api/login/second-factor"): Entry({}, allowed=WRONG),
    ("post", "/api/logout"): Entry({}, allowed=frozenset({200, 401})),
    ("post", "/api/email-code-login"): Entry({}, allowed=WRONG),
    ("post", "/api/email-code-login/validity"): Entry({}, allowed=WRONG),
    ("post", "/api/forgot-password"): Entry({}, allowed=WRONG),
    ("post", "/api/forgot-password/validity"): Entry({}, allowed=WRONG),
    ("post", "/api/forgot-password/resets"): Entry({}, allowed=WRONG),
}
DOCUMENTS = {"/api/openapi.json", "/api/docs", "/api/redoc"}


def operations() -> list[tuple[str, Route]]:
    return [(method, route) for route in routes("api/") if route.path not in DOCUMENTS for method in route.methods]


def closed() -> list[tuple[str, Route]]:
    return [(method, route) for method, route in operations() if (method, route.path) in ENTRIES]


def test_every_route_of_the_tier_has_an_entry_and_every_entry_a_route() -> None:
    assert {(method, route.path) for method, route in operations()} == {*ENTRIES, *OPEN}


def test_only_what_is_open_asks_for_no_passport() -> None:
    free = {(method, route.path) for method, route in operations() if not route.view.authentication_classes}
    assert free == set(OPEN)


async def pages(house: Served) -> Visitors:
    """A visitor of Alice's pages."""
    for key in (house.chat, house.completion):
        await house.configure(key, **FEATURES)
    apps = {"chat": house.chat.app, "completion": house.completion.app, FLOW: await sync_to_async(flow_of)(house.cast.alice)}
    return {family: await visiting(house, app) for family, app in apps.items()}


def flow_of(person: Person) -> App:
    """The person's workflow, which asks people; made at the first time. In a thread of the database."""
    known = App.objects.for_tenant(person.tenant).filter(mode="workflow").first()
    return known or make_flow(person, ASKING, features={"file_upload": IMAGES}).app


async def kept(house: Served, visitors: Visitors) -> Ids:
    """Rows of Alice's visitor of every kind, by the names that paths and bodies give them."""
    found = {family: await _kept(house, visitors[family], family) for family in FAMILIES}
    stream = await visitors[FLOW].post("/workflows/run", {"inputs": {"word": SECRET}})
    run_id = stream.frames[0].record["workflow_run_id"]
    return {**found, FLOW: {"workflow_run_id": run_id, "task_id": run_id, "file_id": found["chat"]["file_id"]}}


async def _kept(house: Served, visitor: TierClient, family: str) -> dict[str, str]:
    form = aiohttp.FormData()
    form.add_field("file", b"\x89PNG", filename="a.png", content_type="image/png")
    file_id = (await visitor.post("/files/upload", data=form)).json()["id"]
    files = [{**FILE, "upload_file_id": file_id}]
    question = {"query": SECRET, "files": files, "response_mode": "blocking", "auto_generate_name": False}
    body = (await visitor.post(f"/{family}-messages", {"inputs": {}, **question})).json()
    await visitor.post(f"/messages/{body['id']}/feedbacks", {"rating": "like"})
    message = await Message.objects.aget(pk=body["id"])
    if family == "chat":
        await visitor.patch(f"/conversations/{message.conversation_id}/pin")
    else:
        await visitor.post("/saved-messages", {"message_id": body["id"]})
    return {
        "conversation_id": str(message.conversation_id),
        "message_id": body["id"],
        "task_id": body["task_id"],
        "file_id": file_id,
        "url": file_id,
        "end_user_id": str(message.end_user_id),
    }


async def knock(visitor: TierClient, method: str, route: Route, ids: dict[str, str], **headers: str) -> Answer:
    entry = {**ENTRIES, **OPEN}[method, route.path]
    path = route.path.removeprefix("/api").format(**ids)
    return await visitor.call(
        method.upper(), path, json=filled(entry.body, ids), params=filled(entry.query, ids), headers=headers
    )


async def footprint(house: Served) -> list[Any]:
    """Everything of Alice's that a stranger could have changed."""
    models: list[Any] = [
        Conversation, Message, Run, Feedback, UploadFile, SavedMessage, PinnedConversation, WorkflowRun, NodeExecution,
        HumanInputForm,
    ]  # fmt: skip
    rows = []
    for model in models:
        rows.append([row async for row in model.objects.for_tenant(house.cast.alice.tenant).order_by("pk").values()])
    return rows


def assert_nothing_told(answer: Answer, ids: dict[str, str], told: str) -> None:
    assert b"secret question" not in answer.body, told
    assert all(value.encode() not in answer.body for value in ids.values()), told


async def sweep(house: Served, strangers: Visitors, *, strictly: bool = True) -> None:
    """``strictly``: the statuses are those of the entries; otherwise any that is no success with somebody's things in it."""
    ids = await kept(house, await pages(house))
    before = await footprint(house)
    for method, route in closed():
        entry = ENTRIES[method, route.path]
        answer = await knock(strangers[entry.family], method, route, ids[entry.family])
        told = f"{method} {route.path}: {answer.status} {answer.body[:200]!r}"
        assert answer.status in (entry.allowed if strictly else (200, 204, 400, 403, 404)), told
        assert_nothing_told(answer, ids[entry.family], told)
    assert await footprint(house) == before


async def test_a_visitor_of_another_tenants_page_reaches_nothing(house: Served) -> None:
    await house.configure(house.foreign, **FEATURES)
    other = await sync_to_async(make_app)(house.cast.eve, "completion", **FEATURES)
    apps = {"chat": house.foreign.app, "completion": other.app, FLOW: await sync_to_async(flow_of)(house.cast.eve)}
    await sweep(house, {family: await visiting(house, app) for family, app in apps.items()})


async def test_another_visitor_of_the_same_page_reaches_nothing(house: Served) -> None:
    await sweep(house, await pages(house))


async def test_a_visitor_of_another_page_of_the_same_tenant_reaches_nothing(house: Served) -> None:
    visitors = await pages(house)
    await sweep(house, {"chat": visitors["completion"], "completion": visitors["chat"], FLOW: visitors["chat"]}, strictly=False)


async def credentials(house: Served) -> dict[str, str]:
    """What opens other doors, of Alice herself too."""
    tenant = house.cast.alice.tenant
    _, knowledge = await sync_to_async(tokens.create)(tenant=tenant, kind=TokenKind.DATASET)
    console = await signed_in(house, house.cast.alice)
    web = await sync_to_async(sessions.open)(house.cast.alice.account, method="test", scope=SessionScope.WEB_APP)
    return {
        "nothing": "",
        "unknown": "Bearer nonsense",
        "app key": f"Bearer {house.chat.token}",
        "knowledge key": f"Bearer {knowledge}",
        "console session": console.headers["Authorization"],
        "web session": f"Bearer {web.access}",
    }


@pytest.mark.parametrize("name", ["nothing", "unknown", "app key", "knowledge key", "console session", "web session"])
async def test_without_a_passport_every_route_is_closed(house: Served, name: str) -> None:
    ids = await kept(house, await pages(house))
    before = await footprint(house)
    given = (await credentials(house))[name]
    code = (await sync_to_async(sites.of)(house.chat.app)).code
    caller = TierClient(house, "/api", {"Authorization": given, "X-App-Code": code})
    for method, route in closed():
        answer = await knock(caller, method, route, ids[ENTRIES[method, route.path].family])
        assert (answer.status, answer.json()["code"]) == (401, "unauthorized"), route.path
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert await footprint(house) == before


async def test_a_passport_with_another_pages_code_opens_nothing(house: Served) -> None:
    visitors = await pages(house)
    ids = await kept(house, visitors)
    code = (await sync_to_async(sites.of)(house.foreign.app)).code
    for method, route in closed():
        family = ENTRIES[method, route.path].family
        answer = await knock(visitors[family], method, route, ids[family], **{"X-App-Code": code})
        assert (answer.status, answer.json()["code"]) == (401, "unauthorized"), route.path


async def test_open_routes_tell_nothing_of_anybody(house: Served) -> None:
    ids = (await kept(house, await pages(house)))["chat"]
    before, people = await footprint(house), await EndUser.objects.acount()
    anybody = TierClient(house, "/api", {"Authorization": ""})
    named = {**ids, "app_id": str(house.chat.app.pk), "form_token": "nobody's"}
    for method, route in operations():
        if (entry := OPEN.get((method, route.path))) is None:
            continue
        answer = await knock(anybody, method, route, named)
        told = f"{method} {route.path}: {answer.status} {answer.body[:200]!r}"
        assert answer.status in entry.allowed, told
        assert_nothing_told(answer, named, told)
    assert (await footprint(house), await EndUser.objects.acount()) == (before, people)
