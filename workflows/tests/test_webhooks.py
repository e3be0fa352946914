"""Webhooks, called over real sockets: what begins a run, what it is answered, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from accounts.models.tenant import TenantStatus
from apps.models import App, AppStatus, EndUser, Run, UploadFile
from difyproj.infra import backends
from difyproj.infra.backends import get_slots
from difyproj.kernel import clock
from difyproj.testing.flows import make_flow, publish
from difyproj.testing.served import Answer, Served
from workflows.models import Trigger, WorkflowRun
from workflows.services import graphs, triggers, webhook_calls

HOOK: dict[str, Any] = {
    "type": "trigger-webhook", "title": "Hook", "method": "post", "content_type": "application/json",
    "headers": [{"name": "X-Kind", "required": False}], "params": [{"name": "n", "type": "number"}],
    "body": [{"name": "word", "type": "string", "required": True}],
    "status_code": 202, "response_body": '{"got": "{{#hook.word#}}"}',
}  # fmt: skip


def tree(word: str = "word", **changes: Any) -> dict[str, Any]:
    outputs = [{"variable": "said", "value_selector": ["hook", word]}]
    return graphs.drawn([("hook", {**HOOK, **changes}), ("end", {"type": "end", "title": "End", "outputs": outputs})])


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def hooked(house: Served, **changes: Any) -> Trigger:
    key = await sync_to_async(make_flow)(house.cast.alice, tree(**changes))
    return await Trigger.objects.select_related("app", "tenant").aget(app=key.app)


async def call(house: Served, hook: Trigger, method: str = "POST", **sent: Any) -> Answer:
    sent = sent or {"json": {"word": "hi"}}
    return await house.call(method, f"/triggers/webhook/{hook.token}", **sent)


async def ended(hook: Trigger) -> WorkflowRun:
    """The only run of the app, once it has ended."""
    async with asyncio.timeout(5):
        while not await Run.objects.filter(app_id=hook.app_id).exclude(status="running").aexists():
            await asyncio.sleep(0.02)
    return await WorkflowRun.objects.select_related("run").aget(app_id=hook.app_id)


def said(kept: WorkflowRun) -> Any:
    return (kept.outputs or {})["said"]


async def test_a_call_begins_a_run_of_the_published_graph_at_its_node(house: Served) -> None:
    hook = await hooked(house)
    answer = await call(house, hook, json={"word": "hi"}, params={"n": "7"}, headers={"X-Kind": "new"})
    assert (answer.status, answer.json()) == (202, {"got": "hi"})
    kept = await ended(hook)
    assert (kept.outputs, kept.triggered_from, kept.run.status) == ({"said": "hi"}, "webhook", "succeeded")
    assert kept.inputs["X_Kind"] == "new" and kept.inputs["n"] == 7
    assert kept.inputs["_webhook_raw"]["query_params"] == {"n": "7"}
    assert "Authorization" not in str(kept.inputs)
    user = await EndUser.objects.aget(app=hook.app)
    assert kept.run.end_user_id == user.pk
    assert (user.type, user.session_id, user.is_anonymous, user.app_id) == ("trigger", "hook", True, hook.app_id)
    noted = await Trigger.objects.aget(pk=hook.pk)
    assert (noted.last_run_id, noted.last_error) == (kept.pk, "")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
async def test_a_webhook_is_called_by_its_own_method(house: Served, method: str) -> None:
    hook = await hooked(house, method=method, content_type="", body=[], word="n")
    answer = await call(house, hook, method.upper(), params={"n": "1"})
    assert answer.status == 202
    assert (await ended(hook)).outputs == {"said": 1}


async def test_an_answer_without_a_body_and_one_that_is_no_json(house: Served) -> None:
    hook = await hooked(house, status_code=204)
    answer = await call(house, hook)
    assert (answer.status, answer.body) == (204, b"")
    await sync_to_async(publish)(hook.app, tree(response_body="Thank you"))
    assert (await call(house, hook)).json() == {"message": "Thank you"}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"json": {}}, "word"),
        ({"json": {"word": 7}}, "string"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, "JSON"),
        ({"data": b"word=hi", "headers": {"Content-Type": "text/plain"}}, "application/json"),
        ({"json": {"word": "hi"}, "params": {"n": "x"}}, "number"),
        ({"json": {"word": "hi"}, "method": "PUT"}, "POST"),
    ],
)
async def test_a_call_that_does_not_fit_is_refused_and_begins_nothing(house: Served, sent: dict[str, Any], told: str) -> None:
    hook = await hooked(house)
    answer = await call(house, hook, **sent)
    assert (answer.status, answer.json()["error"]) == (400, "Bad Request")
    assert told in answer.json()["message"]
    assert set(answer.json()) == {"error", "message"}
    assert not await Run.objects.filter(app=hook.app).aexists()


async def test_a_large_body_is_refused(house: Served) -> None:
    hook = await hooked(house)
    answer = await call(house, hook, data=b"x" * 11 * 1024 * 1024, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json()["error"]) == (413, HTTPStatus(413).phrase)
    fits = b'{"word": "%s"}' % (b"x" * (10 * 1024 * 1024 - 100))
    assert (await call(house, hook, data=fits, headers={"Content-Type": "application/json"})).status == 202


def switched_off(hook: Trigger) -> None:
    triggers.set_enabled(hook, enabled=False)


def removed(hook: Trigger) -> None:
    App.objects.filter(pk=hook.app_id).update(status=AppStatus.REMOVED)


def unpublished(hook: Trigger) -> None:
    publish(hook.app, graphs.drawn([("start", {"type": "start"}), ("end", {"type": "end", "outputs": []})]))


def closed(hook: Trigger) -> None:
    hook.app.enable_api = False
    hook.app.save()


def archived(hook: Trigger) -> None:
    hook.tenant.status = TenantStatus.ARCHIVED
    hook.tenant.save()


@pytest.mark.parametrize(
    ("change", "status"), [(switched_off, 404), (removed, 404), (unpublished, 404), (closed, 403), (archived, 403)]
)
async def test_what_answers_nobody_takes_no_calls(house: Served, change: Callable[[Trigger], None], status: int) -> None:
    hook = await hooked(house)
    await sync_to_async(change)(hook)
    answer = await call(house, hook)
    assert answer.status == status
    assert set(answer.json()) == {"error", "message"}
    assert not await Run.objects.filter(app_id=hook.app_id).aexists()


@pytest.mark.parametrize("token", ["x", "%00", "%F0%9F%92%A9", "x" * 500])
async def test_an_unknown_address_is_not_found(house: Served, token: str) -> None:
    answer = await house.call("POST", f"/triggers/webhook/{token}", json={})
    assert (answer.status, answer.json()["error"]) == (404, "Not Found")
    assert (await house.call("GET", f"/triggers/{token}")).json()["error"] == "Not Found"


async def test_the_address_stands_in_no_log(house: Served, caplog: pytest.LogCaptureFixture) -> None:
    hook = await hooked(house)
    await call(house, hook)
    lines = [record for record in caplog.records if record.name == "dify.api"]
    assert any(getattr(record, "endpoint", "") == "/triggers/webhook/***" for record in lines)
    assert str(hook.token) not in str([vars(record) for record in lines])


async def test_a_call_needs_a_slot_of_the_app(house: Served) -> None:
    hook = await hooked(house)
    await App.objects.filter(pk=hook.app_id).aupdate(max_active_requests=1)
    await sync_to_async(get_slots().take)(f"app:{hook.app_id}", 1, "other")
    answer = await call(house, hook)
    assert (answer.status, answer.json()["error"]) == (429, "Too Many Requests")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Too many" in (await Trigger.objects.aget(pk=hook.pk)).last_error


async def test_files_of_a_form_are_kept_and_are_the_runs_inputs(house: Served) -> None:
    rows = [{"name": "doc", "type": "file", "required": True}, {"name": "all", "type": "array[file]"}, {"name": "word"}]
    hook = await hooked(house, content_type="multipart/form-data", body=rows, word="doc")
    form = aiohttp.FormData({"word": "hi"})
    for name in ("doc", "all"):
        form.add_field(name, b"hello", filename=f"{name}.txt", content_type="text/plain")
    answer = await call(house, hook, data=form)
    assert (answer.status, answer.json()) == (202, {"got": "hi"})
    kept = await ended(hook)
    row = await UploadFile.objects.aget(name="doc.txt")
    assert (row.app_id, row.end_user_id, row.size) == (hook.app_id, kept.run.end_user_id, 5)
    assert (said(kept)["related_id"], said(kept)["filename"]) == (str(row.pk), "doc.txt")
    assert [file["filename"] for file in kept.inputs["all"]] == ["all.txt"]


async def test_a_body_of_bytes_is_a_file(house: Served) -> None:
    rows = [{"name": "raw", "type": "file", "required": True}]
    hook = await hooked(house, content_type="application/octet-stream", body=rows, word="raw", response_body="")
    answer = await call(house, hook, data=b"\x00\x01", headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 202, answer.body
    assert said(await ended(hook))["size"] == 2


def signed(key: str, body: bytes, *, ago: float = 0, stamp: str = "") -> dict[str, str]:
    stamp = stamp or str(int(clock.now().timestamp() - ago))
    return {
        "Content-Type": "application/json", "X-Timestamp": stamp, "X-Signature": webhook_calls.signature(key, stamp, body)
    }  # fmt: skip


BODY = b'{"word": "hi"}'


async def test_a_webhook_with_a_key_takes_signed_calls_each_once(house: Served) -> None:
    hook = await hooked(house)
    key = await sync_to_async(triggers.renew_signing_key)(hook)
    headers = signed(key, BODY)
    assert headers["X-Signature"].startswith("sha256=")
    assert (await call(house, hook, data=BODY, headers=headers)).status == 202
    again = await call(house, hook, data=BODY, headers=headers)
    assert (again.status, again.json()["error"]) == (409, "Conflict")
    await ended(hook)
    assert await Run.objects.filter(app=hook.app).acount() == 1
    await sync_to_async(triggers.drop_signing_key)(hook)
    assert (await call(house, hook)).status == 202


async def test_of_the_same_signed_call_many_times_at_once_one_is_taken(house: Served) -> None:
    hook = await hooked(house)
    headers = signed(await sync_to_async(triggers.renew_signing_key)(hook), BODY)
    answers = await asyncio.gather(*(call(house, hook, data=BODY, headers=headers) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [202, *[409] * 7]


@pytest.mark.parametrize(
    "change",
    [
        {"X-Signature": ""}, {"X-Timestamp": ""}, {"X-Signature": "sha256=00"}, {"X-Signature": "é"}, {"X-Timestamp": "1"},
        {"X-Timestamp": "soon"},
    ],
)  # fmt: skip
async def test_a_missing_or_wrong_signature_is_refused(house: Served, change: dict[str, str]) -> None:
    hook = await hooked(house)
    key = await sync_to_async(triggers.renew_signing_key)(hook)
    for body in (BODY, b"{"):
        refused = await call(house, hook, data=body, headers={**signed(key, body), **change})
        assert refused.status == 401
    answer = await call(house, hook, data=BODY, headers={**signed(key, BODY), **change})
    assert (answer.status, answer.json()["error"]) == (401, "Unauthorized")
    assert not await Run.objects.filter(app=hook.app).aexists()


@pytest.mark.parametrize("ago", [301, 10**6, -310])
async def test_an_old_signature_and_one_of_the_future_are_refused(house: Served, ago: float) -> None:
    hook = await hooked(house)
    key = await sync_to_async(triggers.renew_signing_key)(hook)
    answer = await call(house, hook, data=BODY, headers=signed(key, BODY, ago=ago))
    assert (answer.status, "time" in answer.json()["message"]) == (401, True)
    assert (await call(house, hook, data=BODY, headers=signed(key, BODY, stamp="9" * 40))).status == 401


async def test_a_signature_whose_call_began_nothing_may_come_again(house: Served, settings: Settings) -> None:
    hook = await hooked(house)
    key = await sync_to_async(triggers.renew_signing_key)(hook)
    await App.objects.filter(pk=hook.app_id).aupdate(enable_api=False)
    headers = signed(key, BODY)
    assert (await call(house, hook, data=BODY, headers=headers)).status == 403
    await App.objects.filter(pk=hook.app_id).aupdate(enable_api=True)
    assert (await call(house, hook, data=BODY, headers=headers)).status == 202


@pytest.mark.parametrize("more", [[], [("tick", {"type": "trigger-schedule", "title": "Tick"})]])
async def test_what_only_triggers_begin_is_not_run_by_callers(house: Served, more: list[Any]) -> None:
    graph = tree()
    graph["nodes"] += [{"id": name, "data": data} for name, data in more]
    key = await sync_to_async(make_flow)(house.cast.alice, graph)
    body = {"inputs": {"word": "hi"}, "user": "u1"}
    refused = await house.call("POST", "/v1/workflows/run", key=key, json=body)
    assert (refused.status, refused.json()["code"]) == (403, "trigger_workflow_service_mode_unavailable")
    start = {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}}
    graph["nodes"].append(start)
    graph["edges"].append({"source": "start", "target": "end"})
    await sync_to_async(publish)(key.app, graph)
    answer = await house.call("POST", "/v1/workflows/run", key=key, json=body)
    assert (answer.status, answer.json()["data"]["status"]) == (200, "succeeded")


MULTI = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n--x--\r\n'
ODD: list[tuple[str, bytes]] = [
    ("application/json", b'{"word": "a\\u0000b"}'), ("application/json", b'{"\\u0000": 1, "word": "x"}'),
    ("application/json", b'{"word": "\\ud800"}'), ("application/json", b"[" * 10_000), ("application/json", b'"word"'),
    ("application/json", b"NaN"), ("application/json", b'{"word": "x", "n": 1e999}'), ("application/json", b"\xff\xfe"),
    ("application/json", b'{"word": {"dify_model_identity": "__dify__file__", "related_id": "x", "type": 7}}'),
    ("application/x-www-form-urlencoded", b"word=%00%ff&=&&word"), ("application/x-www-form-urlencoded", b"\x00\xff"),
    (MULTI, PART % (b"word", b"", b"\x00\xff")), (MULTI, PART % (b"word", b'; filename="a\x00.txt"', b"x")),
    (MULTI, PART % (b"word", b'; filename="../a"', b"x")), (MULTI, PART % (b"word", b'; filename=""', b"")),
    (MULTI, b"--x\r\n"), (MULTI, b"nothing"), ("multipart/form-data", b"--x"), ("multipart/form-data; boundary=", b"--"),
    ("text/plain; charset=nonsense", b"\xff\x00"), ("application/octet-stream", b"\x00"), ("", b"x"), ("\xff", b"x"),
]  # fmt: skip


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "text/plain"])
@pytest.mark.parametrize("kind", ["string", "object", "file", "array[file]"])
async def test_no_odd_call_breaks_anything(house: Served, content_type: str, kind: str) -> None:
    body = [{"name": "word", "type": kind, "required": False}]
    hook = await hooked(house, content_type=content_type, body=body, params=[], headers=[])
    for stated, sent in ODD:
        answer = await call(house, hook, data=sent, headers={"Content-Type": stated, "X-Odd": "\xff"}, params={"\0": "\0"})
        assert answer.status < 500, (stated, sent, answer.body)
        if answer.status >= 400:
            assert set(answer.json()) == {"error", "message"}
    async with asyncio.timeout(10):
        while await Run.objects.filter(app_id=hook.app_id, status="running").aexists():
            await asyncio.sleep(0.05)
