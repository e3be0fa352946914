"""Callbacks: whoever gave an address is told of a run's end, signed, again after failures, and once however many look."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from apps.models import Run
from apps.models.run import RunStatus
from difyproj.infra import backends, jobs
from difyproj.infra.models import Job
from difyproj.kernel import jsonio
from difyproj.kernel.tests.wire import Request, reply, serve
from difyproj.testing.console import signed_in
from difyproj.testing.flows import ASKING, ECHO, TALK, make_flow
from difyproj.testing.served import Answer, Key, Served
from workflows.models import CallbackDelivery
from workflows.services import callbacks, webhook_calls


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


class Receiver:
    """Answers with each of its replies in turn, the last of them again and again."""

    def __init__(self, *replies: bytes) -> None:
        self._replies = list(replies) or [reply(status="204 No Content")]

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(self._replies.pop(0) if len(self._replies) > 1 else self._replies[0])


async def flow(house: Served, graph: Any = ECHO) -> Key:
    return await sync_to_async(make_flow)(house.cast.alice, graph)


async def ask(house: Served, key: Key, url: str | None, **fields: Any) -> Answer:
    body = {"inputs": {"word": "hi"}, "user": "u1", "response_mode": "blocking", "callback_url": url, **fields}
    return await house.call("POST", "/v1/workflows/run", key=key, json=body)


def tell() -> None:
    callbacks.hand_over()
    jobs.run_waiting(callbacks.KIND, due_only=False)


async def told(key: Key) -> CallbackDelivery:
    """The app's only delivery, after every attempt that there may be."""
    await sync_to_async(tell)()
    return await CallbackDelivery.objects.aget(app=key.app)


async def test_the_receiver_reads_a_signed_message_of_the_runs_end(house: Served) -> None:
    key = await flow(house)
    async with serve(Receiver()) as wire:
        answer = (await ask(house, key, wire.url("/ended?key=s3cret"))).json()
        delivery = await told(key)
        await sync_to_async(tell)()
    (request,) = wire.requests
    assert (request.method, request.target) == ("POST", "/ended?key=s3cret")
    sent = jsonio.loads(request.body)
    assert (sent["event"], sent["task_id"], sent["workflow_run_id"]) == (
        "workflow_finished", answer["task_id"], answer["workflow_run_id"],
    )  # fmt: skip
    same = ("id", "workflow_id", "status", "outputs", "error", "total_tokens", "total_steps", "created_at", "finished_at")
    assert {name: sent["data"][name] for name in same} == {name: answer["data"][name] for name in same}
    headers = {name.lower(): value for name, value in request.headers.items()}
    signing_key = callbacks.signing_key(key.app.pk)
    assert headers["x-signature"] == webhook_calls.signature(signing_key, headers["x-timestamp"], request.body)
    assert headers["x-delivery"] == str(delivery.pk)
    assert (delivery.status, delivery.attempts, delivery.log[0]["status"]) == ("delivered", 1, 204)
    assert delivery.delivered_at is not None


async def test_the_house_hands_the_end_to_a_worker_by_itself(house: Served) -> None:
    key = await flow(house)
    async with serve(Receiver()) as wire:
        await ask(house, key, wire.url())
        async with asyncio.timeout(10):
            while not await Job.objects.filter(kind=callbacks.KIND).aexists():
                await asyncio.sleep(0.05)
        await sync_to_async(jobs.run_waiting)(callbacks.KIND)
    assert len(wire.requests) == 1


def hand_over(number: int) -> int:
    try:
        return callbacks.hand_over()
    finally:
        connection.close()


async def test_however_many_look_each_end_is_handed_over_once(house: Served) -> None:
    key = await flow(house)
    async with serve(Receiver()) as wire:
        for _ in range(3):
            await ask(house, key, wire.url())
        with ThreadPoolExecutor(4) as threads:
            loop = asyncio.get_running_loop()
            found = await asyncio.gather(*(loop.run_in_executor(threads, hand_over, number) for number in range(8)))
        assert sum(found) <= 3  # the house's own rounds look, too
        assert await Job.objects.filter(kind=callbacks.KIND).acount() == 3
        await sync_to_async(tell)()
    assert len({request.headers.get("X-Delivery") or request.headers["x-delivery"] for request in wire.requests}) == 3


async def test_a_receiver_that_fails_is_asked_again_under_the_same_name(house: Served) -> None:
    key = await flow(house)
    replies = (reply(status="503 Service Unavailable"), reply(status="302 Found", Location="http://127.0.0.1:1/"), reply())
    async with serve(Receiver(*replies)) as wire:
        await ask(house, key, wire.url())
        delivery = await told(key)
    assert [line["status"] for line in delivery.log] == [503, 302, 200]
    assert (delivery.status, delivery.attempts, len(wire.requests)) == ("delivered", 3, 3)
    assert len({request.body for request in wire.requests}) == 1


async def test_after_the_last_attempt_it_is_given_up_and_an_operator_may_have_it_sent_again(house: Served) -> None:
    key = await flow(house)
    async with serve(Receiver(*[reply(status="500 Oh")] * 10, reply())) as wire:
        await ask(house, key, wire.url())
        delivery = await told(key)
        assert (delivery.status, delivery.attempts, len(wire.requests)) == ("failed", 10, 10)
        assert "500" in delivery.log[-1]["error"]
        job = await Job.objects.aget(kind=callbacks.KIND)
        assert await sync_to_async(jobs.retry)(job.pk)
        assert (await told(key)).status == "delivered"


async def test_a_run_that_waits_for_people_is_told_when_it_has_ended(house: Served) -> None:
    key = await flow(house, ASKING)
    async with serve(Receiver()) as wire:
        paused = (await ask(house, key, wire.url())).json()
        assert (await told(key)).status == "waiting"
        assert wire.requests == []
        await house.call("POST", f"/v1/workflows/tasks/{paused['task_id']}/stop", key=key, json={"user": "u1"})
        async with asyncio.timeout(5):
            while await Run.objects.filter(pk=paused["task_id"], status=RunStatus.PAUSED).aexists():
                await asyncio.sleep(0.02)
        assert (await told(key)).status == "delivered"
    assert jsonio.loads(wire.requests[0].body)["data"]["status"] == "stopped"


@pytest.mark.parametrize(
    "url", ["ftp://a.example/x", "a.example", "", "http://", "http://a b", "https://" + "x" * 3000, 7, ["x"]]
)
async def test_an_address_that_is_none_is_refused(house: Served, url: Any) -> None:
    key = await flow(house)
    answer = await ask(house, key, url)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")
    assert not await CallbackDelivery.objects.aexists()


async def test_without_an_address_nobody_is_told(house: Served) -> None:
    key = await flow(house)
    assert (await ask(house, key, None)).status == 200
    assert not await CallbackDelivery.objects.aexists()


async def test_receivers_get_the_key_from_who_may_have_the_apps_tokens(house: Served) -> None:
    key = await flow(house)
    alice, norma = await signed_in(house, house.cast.alice), await signed_in(house, house.cast.norma)
    shown = await alice.get(f"/apps/{key.app.pk}/callback-key")
    assert shown.json() == {"signing_key": callbacks.signing_key(key.app.pk)}
    assert len(shown.json()["signing_key"]) == 64
    assert callbacks.signing_key(house.chat.app.pk) != shown.json()["signing_key"]
    assert (await norma.get(f"/apps/{key.app.pk}/callback-key")).status == 403


async def test_a_chatflow_in_the_background_tells_its_end_and_other_chats_have_neither(house: Served) -> None:
    key = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    asked = {"inputs": {}, "query": "hi", "user": "u1"}
    async with serve(Receiver()) as wire:
        unattended = {"response_mode": "async", "callback_url": wire.url()}
        begun = await house.call("POST", "/v1/chat-messages", key=key, json={**asked, **unattended})
        run_id = begun.json()["task_id"]
        async with asyncio.timeout(5):
            while not await Run.objects.filter(pk=run_id, status=RunStatus.SUCCEEDED).aexists():
                await asyncio.sleep(0.02)
        assert (await told(key)).status == "delivered"
    assert (begun.status, jsonio.loads(wire.requests[0].body)["data"]["outputs"]["answer"]) == (202, "You said hi.")
    seen = await house.call("GET", f"/v1/workflows/run/{run_id}", key=key)
    assert (seen.status, seen.json()["status"]) == (200, "succeeded")
    for name, value in unattended.items():
        refused = await house.call("POST", "/v1/chat-messages", json={**asked, name: value})
        assert (refused.status, refused.json()["params"]) == (400, name)
