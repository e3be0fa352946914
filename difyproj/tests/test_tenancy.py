"""The two-tenant sweep: every route, called with another tenant's ids, keys and people, finds nothing and breaks nothing.

The rows come from the URL table: a route without an entry here fails the first test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import aiohttp
from asgiref.sync import sync_to_async

from apps.models import EndUser
from difyproj.testing.cast import Person
from difyproj.testing.flows import ASKING, ECHO, make_flow
from difyproj.testing.served import Answer, Key, Served, make_app
from difyproj.tiers.datasets import DatasetViewSet
from difyproj.tiers.error_shapes import for_path, openai

from . import bearers, sweeping
from .routes import Route, routes
from .sweeping import Rows

IMAGES = {"image": {"enabled": True, "number_limits": 3, "transfer_methods": ["local_file"]}}
FILE = {"type": "image", "transfer_method": "local_file"}


@dataclass(frozen=True, slots=True)
class Entry:
    """How a route is called. The other tenant's ids go where path, query, headers and body name them.

    ``allowed`` are the statuses that a stranger may get; a route that names nothing foreign answers about its own app only.
    """

    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    allowed: frozenset[int] = frozenset({404})
    family: str = "chat"
    ids: dict[str, str] = field(default_factory=dict)


NOTHING_FOREIGN = frozenset({200, 204})
ASK = {"inputs": {}, "query": "x", "user": "u1"}
SAY = {"inputs": {"word": "x"}, "user": "u1"}
REPLY = {"embedding_provider_name": "builtin", "embedding_model_name": "hashing-384", "score_threshold": 0.9}
SECRET = "Alice's secret question"

ENTRIES: dict[tuple[str, str], Entry] = {
    ("post", "/v1/chat-messages"): Entry({**ASK, "conversation_id": "{conversation_id}"}),
    ("post", "/v1/chat-messages/{task_id}/stop"): Entry({"user": "u1"}, allowed=frozenset({200})),
    ("post", "/v1/completion-messages"): Entry(
        {**ASK, "files": [{**FILE, "upload_file_id": "{file_id}"}]}, allowed=frozenset({400}), family="completion"
    ),
    ("post", "/v1/completion-messages/{task_id}/stop"): Entry({"user": "u1"}, allowed=frozenset({200}), family="completion"),
    ("post", "/v1/workflows/run"): Entry(SAY, query={"version": "{workflow_id}"}, family="flow"),
    ("post", "/v1/workflows/{workflow_id}/run"): Entry(SAY, family="flow"),
    ("post", "/v1/workflows/tasks/{task_id}/stop"): Entry({"user": "u1"}, allowed=frozenset({200}), family="asking"),
    ("get", "/v1/workflow/{workflow_run_id}/events"): Entry(
        query={"user": "u1", "include_state_snapshot": "true"}, family="flow"
    ),
    ("get", "/v1/workflows/run/{workflow_run_id}"): Entry(family="flow"),
    ("get", "/v1/workflows/logs"): Entry(query={"keyword": "secret"}, allowed=NOTHING_FOREIGN, family="flow"),
    ("get", "/v1/form/human_input/{form_token}"): Entry(family="asking"),
    ("post", "/v1/form/human_input/{form_token}"): Entry(
        {"user": "u1", "action": "yes", "inputs": {"note": "x"}}, family="asking"
    ),
    ("get", "/v1/runs/{task_id}/events"): Entry(query={"user": "u1"}),
    ("get", "/v1/messages"): Entry(query={"user": "u1", "conversation_id": "{conversation_id}"}),
    ("get", "/v1/messages/{message_id}/suggested"): Entry(query={"user": "u1"}),
    ("post", "/v1/messages/{message_id}/feedbacks"): Entry({"user": "u1", "rating": "dislike"}),
    ("get", "/v1/app/feedbacks"): Entry(allowed=NOTHING_FOREIGN),
    ("post", "/v1/apps/annotation-reply/{action}"): Entry(REPLY, allowed=NOTHING_FOREIGN, ids={"action": "enable"}),
    ("get", "/v1/apps/annotation-reply/{action}/status/{job_id}"): Entry(allowed=frozenset({400}), ids={"action": "enable"}),
    ("get", "/v1/apps/annotations"): Entry(query={"keyword": "secret"}, allowed=NOTHING_FOREIGN),
    ("post", "/v1/apps/annotations"): Entry({"question": "Q", "answer": "A"}, allowed=frozenset({201})),
    ("put", "/v1/apps/annotations/{annotation_id}"): Entry({"question": "Stolen", "answer": "A"}),
    ("delete", "/v1/apps/annotations/{annotation_id}"): Entry(),
    ("get", "/v1/conversations"): Entry(query={"user": "u1", "last_id": "{conversation_id}"}),
    ("delete", "/v1/conversations/{conversation_id}"): Entry({"user": "u1"}),
    ("post", "/v1/conversations/{conversation_id}/name"): Entry({"user": "u1", "name": "Stolen"}),
    ("get", "/v1/conversations/{conversation_id}/variables"): Entry(query={"user": "u1"}),
    ("put", "/v1/conversations/{conversation_id}/variables/{variable_id}"): Entry({"user": "u1", "value": 1}),
    ("patch", "/v1/conversations/{conversation_id}/variables/{variable_id}"): Entry({"user": "u1", "value": 1}),
    ("post", "/v1/files/upload"): Entry(allowed=frozenset({400})),
    ("get", "/v1/files/{file_id}/preview"): Entry(query={"user": "u1"}),
    ("post", "/v1/audio-to-text"): Entry(allowed=frozenset({400})),
    ("post", "/v1/text-to-audio"): Entry({"user": "u1", "message_id": "{message_id}"}),
    ("get", "/v1/info"): Entry(allowed=NOTHING_FOREIGN),
    ("get", "/v1/parameters"): Entry(allowed=NOTHING_FOREIGN),
    ("get", "/v1/meta"): Entry(allowed=NOTHING_FOREIGN),
    ("get", "/v1/site"): Entry(allowed=NOTHING_FOREIGN),
    ("get", "/v1/end-users/{end_user_id}"): Entry(),
    ("post", "/v1/chat/completions"): Entry(
        {"messages": [{"role": "user", "content": "x"}], "user": "u1"}, headers={"X-Conversation-Id": "{conversation_id}"}
    ),
    ("get", "/v1/models"): Entry(allowed=NOTHING_FOREIGN),
    ("get", "/v1/models/{model_id}"): Entry(),
    ("post", "/v1/embeddings"): Entry({"input": "x"}, allowed=NOTHING_FOREIGN),
}
# Whoever calls as a new person of an app has a row in them.
OF_CALLERS = ("EndUser",)
OPEN = {"/v1/", "/v1/openapi.json", "/v1/docs", "/v1/redoc"}


def operations() -> list[tuple[str, Route]]:
    """Those of apps' keys; ``test_tenancy_datasets`` has those of datasets' keys."""
    found = [route for route in routes("v1/") if route.path not in OPEN and not _is_of_datasets(route)]
    return [(method, route) for route in found for method in route.methods]


def _is_of_datasets(route: Route) -> bool:
    return isinstance(route.view, type) and issubclass(route.view, DatasetViewSet)


def test_every_route_of_the_tier_has_an_entry_and_every_entry_a_route() -> None:
    assert {(method, route.path) for method, route in operations()} == set(ENTRIES)


@dataclass(frozen=True, slots=True)
class Alices:
    """The names that paths and bodies give her rows, and the keys of her apps by family."""

    ids: dict[str, str]
    keys: dict[str, Key]

    def ids_of(self, family: str) -> dict[str, str]:
        return {**self.ids, "task_id": self.ids["workflow_run_id"]} if family in FLOWS else self.ids


FLOWS = ("flow", "asking")


def flows_of(person: Person) -> dict[str, Key]:
    """In a thread of the database."""
    return {"flow": make_flow(person, ECHO), "asking": make_flow(person, ASKING)}


async def alices(house: Served) -> Alices:
    """Rows of Alice's apps of every kind."""
    keys = await sync_to_async(flows_of)(house.cast.alice)
    said = {"inputs": {"word": SECRET}, "user": "u1"}
    ran, asked = [(await house.call("POST", "/v1/workflows/run", key=keys[name], json=said)).json() for name in FLOWS]
    ids = {
        **await chat_ids(house),
        "workflow_id": ran["data"]["workflow_id"],
        "workflow_run_id": ran["workflow_run_id"],
        "form_token": asked["data"]["reasons"][0]["form_token"],
    }
    return Alices(ids, {"chat": house.chat, "completion": house.completion, **keys})


async def chat_ids(house: Served) -> dict[str, str]:
    await house.configure(house.chat, file_upload=IMAGES)
    form = aiohttp.FormData({"user": "u1"})
    form.add_field("file", b"\x89PNG", filename="a.png", content_type="image/png")
    file_id = (await house.call("POST", "/v1/files/upload", data=form)).json()["id"]
    files = [{**FILE, "upload_file_id": file_id}]
    body = (await house.ask(SECRET, files=files, response_mode="blocking", auto_generate_name=False)).json()
    await house.call("POST", f"/v1/messages/{body['id']}/feedbacks", json={"user": "u1", "rating": "like"})
    noted = {"question": SECRET, "answer": "Hush."}
    annotation = (await house.call("POST", "/v1/apps/annotations", json=noted)).json()
    replies = (await house.call("POST", "/v1/apps/annotation-reply/enable", json=REPLY)).json()
    return {
        "conversation_id": body["conversation_id"],
        "message_id": body["id"],
        "task_id": body["task_id"],
        "file_id": file_id,
        "end_user_id": str((await EndUser.objects.aget(session_id="u1", app=house.chat.app)).pk),
        "variable_id": body["id"],
        "model_id": "alices-chat",
        "annotation_id": annotation["id"],
        "job_id": replies["job_id"],
    }


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ids) for item in value]
    return value.format(**ids) if isinstance(value, str) else value


async def knock(house: Served, method: str, route: Route, ids: dict[str, str], key: Key, user: str = "u1") -> Answer:
    entry = ENTRIES[method, route.path]
    body = filled(entry.body, ids)
    if body and "user" in body:
        body["user"] = user
    query = filled(entry.query, ids)
    if "user" in query:
        query["user"] = user
    headers = filled(entry.headers, ids)
    return await house.call(
        method.upper(), route.path.format(**{**ids, **entry.ids}), key=key, json=body, params=query, headers=headers
    )


async def footprint(house: Served) -> Rows:
    """Everything of Alice's that a stranger could have changed."""
    found = await sync_to_async(sweeping.footprint)(house.cast.alice.tenant)
    return {name: rows for name, rows in found.items() if name not in OF_CALLERS}


async def sweep(house: Served, key_for: dict[str, Key], user: str = "u1") -> None:
    her = await alices(house)
    before = await footprint(house)
    for method, route in operations():
        entry = ENTRIES[method, route.path]
        ids = her.ids_of(entry.family)
        answer = await knock(house, method, route, ids, key_for[entry.family], user)
        told = f"{method} {route.path}: {answer.status} {answer.body[:200]!r}"
        assert answer.status in entry.allowed, told
        assert b"secret question" not in answer.body, told
        assert all(value.encode() not in answer.body for value in ids.values()), told
    assert sweeping.changes(before, await footprint(house)) == []


async def test_another_tenants_key_reaches_nothing(house: Served) -> None:
    await house.configure(house.foreign, file_upload=IMAGES, text_to_speech={"enabled": True})
    eves = await sync_to_async(flows_of)(house.cast.eve)
    await sweep(house, {"chat": house.foreign, "completion": await make_completion(house), **eves})


async def make_completion(house: Served) -> Key:
    return await sync_to_async(make_app)(house.cast.eve, "completion", file_upload=IMAGES)


async def test_another_app_of_the_same_tenant_reaches_nothing(house: Served) -> None:
    await house.configure(house.completion, file_upload=IMAGES)
    her, others = await alices(house), await sync_to_async(flows_of)(house.cast.alice)
    before = await footprint(house)
    for method, route in operations():
        family = ENTRIES[method, route.path].family
        ids = her.ids_of(family)
        answer = await knock(house, method, route, ids, others.get(family, house.completion))
        told = f"{method} {route.path}: {answer.status} {answer.body[:200]!r}"
        assert answer.status in (200, 204, 400, 403, 404), told
        assert b"secret question" not in answer.body, told
        assert all(value.encode() not in answer.body for value in ids.values()), told
    assert sweeping.changes(before, await footprint(house)) == []


async def test_another_person_of_the_same_app_reaches_nothing_personal(house: Served) -> None:
    her = await alices(house)
    await house.configure(house.chat, text_to_speech={"enabled": True}, suggested_questions_after_answer={"enabled": True})
    before = await footprint(house)
    for method, route in operations():
        entry = ENTRIES[method, route.path]
        personal = "user" in entry.query or "user" in (entry.body or {})
        if not personal or entry.family != "chat" or route.path == "/v1/files/{file_id}/preview":
            continue
        answer = await knock(house, method, route, her.ids, house.chat, user="u2")
        told = f"{method} {route.path}: {answer.status} {answer.body[:200]!r}"
        assert answer.status in entry.allowed, told
        assert b"secret question" not in answer.body, told
    events = f"/v1/workflow/{her.ids['workflow_run_id']}/events"
    answer = await house.call("GET", events, key=her.keys["flow"], params={"user": "u2", "include_state_snapshot": "true"})
    assert answer.status == 404
    assert sweeping.changes(before, await footprint(house)) == []


async def test_no_other_credential_opens_the_tier(house: Served) -> None:
    ids = (await alices(house)).ids
    given = await sync_to_async(bearers.of)(house.cast.alice, house.chat)
    before = await footprint(house)
    for name, token in given.items():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        for method, route in operations() if name != bearers.APP_KEY else ():
            path = route.path.format(**{**ids, **ENTRIES[method, route.path].ids})
            async with house.client.request(method, house.url + path, headers=headers) as response:
                body = await response.json()
            code = body["error"]["code"] if for_path(route.path) is openai else body["code"]
            told = f"{method} {route.path} with {name}"
            assert (response.status, code) in ((401, "unauthorized"), (401, "invalid_api_key")), told
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"', told
    assert sweeping.changes(before, await footprint(house)) == []
