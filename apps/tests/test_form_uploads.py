"""Files of a form: uploaded by whoever has the form's token, owned by who asked for the run, read by the run."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async

from apps.models import UploadFile
from apps.services import apps, sites
from difyproj.testing.console import TierClient
from difyproj.testing.flows import make_flow, run
from difyproj.testing.served import Answer, Key, Served
from workflows.models import HumanInputForm, WorkflowRun
from workflows.services import graphs

ASK = {
    "type": "human-input", "title": "Paper", "form_content": "Your paper: {{#$output.paper#}}",
    "inputs": [{"type": "file", "output_variable_name": "paper", "allowed_file_types": ["document"]}],
    "user_actions": [{"id": "yes", "title": "Yes"}], "timeout": 1, "timeout_unit": "day",
}  # fmt: skip
END = {"type": "end", "title": "End", "outputs": [{"variable": "name", "value_selector": ["ask", "paper", "name"]}]}


@pytest.fixture
async def key(house: Served) -> Key:
    graph = graphs.drawn([("start", {"type": "start", "title": "Start", "variables": []}), ("ask", ASK), ("end", END)])
    graph["edges"][1]["sourceHandle"] = "yes"
    return await sync_to_async(make_flow)(house.cast.alice, graph)


@pytest.fixture
def anybody(house: Served) -> TierClient:
    return TierClient(house, "/api", {"Authorization": ""})


async def upload(anybody: TierClient, token: str, name: str = "paper.txt", **fields: str) -> Answer:
    form = aiohttp.FormData(fields)
    if not fields:
        form.add_field("file", b"Once upon a time", filename=name, content_type="text/plain")
    sent = {"Authorization": token if " " in token or not token else f"Bearer {token}"}
    return await anybody.call("POST", "/human-input-forms/files", data=form, headers=sent)


async def test_a_file_is_uploaded_into_a_form_and_read_by_its_run(key: Key, anybody: TierClient) -> None:
    paused = await run(key.app)
    form = f"/form/human_input/{paused['data']['reasons'][0]['form_token']}"
    given = await anybody.post(f"{form}/upload-token")
    row = await HumanInputForm.objects.select_related("run").aget(run_id=paused["workflow_run_id"])
    assert given.json()["expires_at"] == int(row.expires_at.timestamp())
    token = given.json()["upload_token"]
    made = await upload(anybody, token)
    assert (made.status, made.json()["name"]) == (201, "paper.txt")
    kept = await UploadFile.objects.aget(pk=made.json()["id"])
    assert (kept.end_user_id, kept.app_id) == (row.run.end_user_id, key.app.pk)
    paper = {"type": "document", "transfer_method": "local_file", "upload_file_id": made.json()["id"]}
    assert (await anybody.post(form, {"action": "yes", "inputs": {"paper": paper}})).json() == {}
    for _ in range(200):
        ended = await WorkflowRun.objects.select_related("run").aget(pk=row.run_id)
        if ended.run.status == "succeeded":
            break
        await anybody.get(form)
    assert ended.outputs == {"name": "paper.txt"}
    closed = [(await upload(anybody, token)), await anybody.post(f"{form}/upload-token")]
    assert [(one.status, one.json()["code"]) for one in closed] == [(412, "human_input_form_submitted")] * 2


async def test_nothing_but_its_token_opens_a_form_for_files(key: Key, anybody: TierClient) -> None:
    paused = await run(key.app)
    form_token = paused["data"]["reasons"][0]["form_token"]
    token = (await anybody.post(f"/form/human_input/{form_token}/upload-token")).json()["upload_token"]
    form_id, expires, nonce, signature = token.removeprefix("hitl_upload_").split(".")
    later = f"hitl_upload_{form_id}.{int(expires) + 60}.{nonce}.{signature}"
    for wrong, status in (("", 401), ("Basic x", 401), (form_token, 403), (later, 403), (f"{token}x", 403), (key.token, 403)):
        refused = await upload(anybody, wrong)
        assert (refused.status, refused.json()["code"]) == (status, "invalid_upload_token"), wrong
    assert (await anybody.post("/form/human_input/nobody/upload-token")).status == 404
    assert (await upload(anybody, token, url="http://127.0.0.1:1/x.txt")).status == 400
    empty = await upload(anybody, token, nothing="here")
    assert empty.status == 400
    assert not await UploadFile.objects.aexists()


async def test_the_site_of_the_app_stands_beside_its_form(house: Served, key: Key, anybody: TierClient) -> None:
    paused = await run(key.app)
    place = f"/form/human_input/{paused['data']['reasons'][0]['form_token']}"
    shown: dict[str, Any] = (await anybody.get(place)).json()["site"]
    assert (shown["app_id"], shown["end_user_id"], shown["model_config"]) == (str(key.app.pk), None, None)
    site = await sync_to_async(sites.of)(key.app)
    assert shown["site"]["title"] == site.title
    await sync_to_async(apps.update)(key.app, access_mode="private_all")
    assert (await anybody.get(place)).json()["site"] is None
