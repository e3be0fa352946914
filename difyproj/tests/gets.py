"""Every GET of every tier with a call that succeeds: which, how, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from asgiref.sync import sync_to_async

from apps.models import App
from apps.models.token import TokenKind
from apps.services import tokens
from difyproj.testing.console import TierClient, signed_in, visiting
from difyproj.testing.knowledge_contract import dataset_key
from difyproj.testing.served import Answer, Served
from difyproj.tiers.features_off import FeatureOff

from . import acme
from .console_app_entries import ENTRIES as CONSOLE
from .sweeping import Entry, Operation, call, operations

PREFIXES = ("v1/", "console/api/", "api/", "files/")
USER = {"user": "u1"}
HERE = {"conversation_id": "{conversation_id}"}

SERVICE: dict[str, Entry] = {
    "/v1/": Entry(),
    "/v1/messages": Entry(query={**USER, **HERE}),
    "/v1/app/feedbacks": Entry(),
    "/v1/apps/annotations": Entry(),
    "/v1/apps/annotation-reply/{action}/status/{job_id}": Entry(ids={"action": "enable", "job_id": "{reply_job_id}"}),
    "/v1/conversations": Entry(query=USER),
    "/v1/conversations/{conversation_id}/variables": Entry(query=USER),
    "/v1/info": Entry(),
    "/v1/parameters": Entry(),
    "/v1/meta": Entry(),
    "/v1/site": Entry(),
    "/v1/models": Entry(),
    "/v1/models/{model_id}": Entry(status=404),
    "/v1/end-users/{end_user_id}": Entry(),
    "/v1/workflows/run/{workflow_run_id}": Entry(ids={"workflow_run_id": "{flow_run_id}"}),
    "/v1/workflows/logs": Entry(query={"keyword": "secret"}),
    "/v1/form/human_input/{form_token}": Entry(),
}
DATASET = "/v1/datasets/{dataset_id}"
SEGMENT = f"{DATASET}/documents/{{document_id}}/segments/{{segment_id}}"
KNOWLEDGE: dict[str, Entry] = {
    "/v1/datasets": Entry(query={"include_all": "true"}),
    "/v1/datasets/tags": Entry(),
    DATASET: Entry(),
    f"{DATASET}/tags": Entry(),
    f"{DATASET}/metadata": Entry(),
    f"{DATASET}/metadata/built-in": Entry(),
    f"{DATASET}/pipeline/datasource-plugins": Entry(),
    f"{DATASET}/documents": Entry(),
    f"{DATASET}/documents/{{batch}}/indexing-status": Entry(),
    f"{DATASET}/documents/{{document_id}}": Entry(),
    f"{DATASET}/documents/{{document_id}}/download": Entry(),
    f"{DATASET}/documents/{{document_id}}/segments": Entry(),
    SEGMENT: Entry(),
    f"{SEGMENT}/child_chunks": Entry(),
    "/v1/workspaces/current/models/model-types/{model_type}": Entry(),
}
VISITOR: dict[str, Entry] = {
    "/api/site": Entry(),
    "/api/parameters": Entry(),
    "/api/meta": Entry(),
    "/api/system-features": Entry(),
    "/api/passport": Entry(),
    "/api/login/status": Entry(),
    "/api/webapp/access-mode": Entry(query={"appId": "{app_id}"}),
    "/api/webapp/permission": Entry(query={"appId": "{app_id}"}),
    "/api/conversations": Entry(),
    "/api/messages": Entry(query={"conversation_id": "{web_conversation_id}"}),
    "/api/form/human_input/{form_token}": Entry(),
}
WRITER = {"/api/saved-messages": Entry()}
# As the sweeps call it, the list would be empty.
FULL = {"/console/api/apps": Entry()}
# They call a model, follow a run, fetch from elsewhere, send bytes or lead away: their cost is not a list's.
WITHOUT = {
    "/v1/messages/{message_id}/suggested",
    "/v1/runs/{task_id}/events",
    "/v1/workflow/{workflow_run_id}/events",
    "/v1/files/{file_id}/preview",
    "/api/messages/{message_id}/suggested-questions",
    "/api/messages/{message_id}/more-like-this",
    "/api/runs/{task_id}/events",
    "/api/workflow/{workflow_run_id}/events",
    "/api/remote-files/{url}",
    "/console/api/apps/{app_id}/chat-messages/{message_id}/suggested-questions",
    "/console/api/remote-files/{url}",
    "/console/api/workflow/{workflow_run_id}/events",
    "/console/api/apps/{app_id}/workflows/draft/runs/{run_id}/node-outputs/events",
    "/console/api/apps/{app_id}/workflows/published/runs/{run_id}/node-outputs/events",
    "/console/api/account/delete/verify",
    "/console/api/files/{file_id}/preview",
    "/files/{file_id}/file-preview",
    "/files/{file_id}/image-preview",
    "/files/documents/{document_id}/download",
}
DOCUMENTS = ("openapi.json", "docs", "redoc")


def gets() -> list[Operation]:
    return [
        operation
        for prefix in PREFIXES
        for operation in operations(prefix)
        if operation.method == "get"
        and operation.route.path not in WITHOUT
        and not operation.route.path.endswith(DOCUMENTS)
        and operation.route.view is not FeatureOff
    ]


def entry_of(operation: Operation) -> Entry | None:
    path = operation.route.path
    return next((table[path] for table in (FULL, SERVICE, KNOWLEDGE, VISITOR, WRITER) if path in table), None) or CONSOLE.get(
        operation.name
    )


async def callers(house: Served, ids: Mapping[str, str]) -> Mapping[str, TierClient]:
    """Who calls below which path; the longest that fits counts."""
    flow, asking = [
        TierClient(house, "", {"Authorization": f"Bearer {await sync_to_async(_key)(ids[name])}"})
        for name in ("flow_app_id", "asking_app_id")
    ]
    knowledge = TierClient(house, "", {"Authorization": f"Bearer {await sync_to_async(dataset_key)(house.cast.alice)}"})
    return {
        "/v1/": TierClient(house, "", {}),
        "/v1/datasets": knowledge,
        "/v1/workspaces/": knowledge,
        "/v1/workflows/": flow,
        "/v1/form/": asking,
        "/console/api/": await signed_in(house, house.cast.alice),
        "/api/": await visiting(house, house.chat.app, user_id=acme.VISITOR),
        "/api/saved-messages": await visiting(house, house.completion.app, user_id=acme.VISITOR),
    }


def _key(app_id: str) -> str:
    app = App.objects.select_related("tenant").get(pk=app_id)
    return tokens.create(tenant=app.tenant, app=app, kind=TokenKind.APP)[1]


async def read(clients: Mapping[str, TierClient], operation: Operation, ids: Mapping[str, str]) -> Answer:
    """The operation's call by whom it is for; a list with as many rows as it may have."""
    path, entry = operation.route.path, entry_of(operation)
    assert entry is not None, operation
    client = clients[max((below for below in clients if path.startswith(below)), key=len)]
    answer = await call(client, operation, replace(entry, query={**entry.query, "limit": "100"}), ids)
    assert answer.status == entry.status, f"{operation}: {answer.status} {answer.body[:300]!r}"
    return answer
