"""App files that come from elsewhere are taken, published and run over the Service API, to their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models import App, Run
from apps.models.token import TokenKind
from apps.services import dsl, tokens
from difyproj.infra import backends
from difyproj.kernel import clock, jsonio
from difyproj.kernel.tests.wire import Request, Wire, reply, serve
from difyproj.testing import documents
from difyproj.testing.served import Key, Served
from difyproj.testing.upstream import Received, Script
from workflows.models import ConversationVariable, HumanInputForm, WorkflowRun
from workflows.services import versions

from .dsl_files import as_dify_reads, losses
from .test_file_upload import PNG, upload

FOLDER = Path(__file__).parent / "dsl_runs"
NAMES = sorted(file.stem for file in FOLDER.iterdir())
# Where the files say that the service is.
PLACE = "http://service.invalid"


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


@pytest.fixture
async def service() -> AsyncIterator[Wire]:
    """Answers with what came, as JSON."""

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        status = {"/missing": "404 Not Found", "/denied": "403 Forbidden", "/upload": "201 Created"}.get(
            request.target, "200 OK"
        )
        body: Any = {"key": "value", "number": 42}
        if request.target.startswith("/key"):
            body = "ok" if request.headers.get("x-api-key") == "sk-of-the-service" else "who?"
        if request.target == "/form":
            body = [request.headers["authorization"], request.body.decode()]
        writer.write(reply(jsonio.dumps(body), status, content_type="application/json"))

    async with serve(script) as wire:
        yield wire


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.yml").read_text(encoding="utf-8")


async def taken(house: Served, name: str, place: str = "") -> Key:
    """The file as a published app of Alice's, with a token."""
    text = text_of(name).replace(PLACE, place or PLACE)
    return await sync_to_async(_published)(house, text)


def _published(house: Served, text: str) -> Key:
    result = dsl.take(tenant=house.cast.alice.tenant, by=house.cast.alice.account.pk, content=text)
    assert result.app_id, result.error
    app = App.objects.select_related("tenant").get(pk=result.app_id)
    versions.publish(app, by=None)
    return Key(app, tokens.create(tenant=app.tenant, app=app, kind=TokenKind.APP)[1])


async def run(house: Served, key: Key, **inputs: Any) -> dict[str, Any]:
    """The end of a run of a workflow."""
    body = {"inputs": inputs, "user": "u1", "response_mode": "blocking"}
    answer = await house.call("POST", "/v1/workflows/run", key=key, json=body)
    assert answer.status == 200, answer.body
    return dict(answer.json()["data"])


async def sent(house: Served, key: Key, name: str, content: bytes, kind: str, mime: str) -> dict[str, str]:
    """A file as an input."""
    made = await upload(house, content, name=name, mime=mime, key=key)
    return {"type": kind, "transfer_method": "local_file", "upload_file_id": made.json()["id"]}


def replies(**texts: str) -> Callable[[Received], Script]:
    """What the model says to a request that holds a word; the first that fits counts."""

    def choose(request: Received) -> Script:
        asked = jsonio.dumps(request.body["messages"]).decode()
        return Script(tokens=[next(text for word, text in texts.items() if word in asked)])

    return choose


@pytest.mark.parametrize("name", NAMES)
async def test_nothing_of_a_file_is_lost(house: Served, name: str) -> None:
    key = await taken(house, name)
    first = await sync_to_async(dsl.export)(key.app, include_secret=True)
    assert list(losses(as_dify_reads(text_of(name)), as_dify_reads(first))) == []
    again = await sync_to_async(_published)(house, first)
    assert await sync_to_async(dsl.export)(again.app, include_secret=True) == first


@pytest.mark.parametrize(
    ("tone", "text"), [("loud", "1. AB!2. C!"), ("calm", "1. AB;2. C;2")]
)  # fmt: skip
async def test_a_file_of_the_first_years_runs(house: Served, tone: str, text: str) -> None:
    end = await run(house, await taken(house, "old_lists"), words="ab c", tone=tone)
    assert (end["status"], end["outputs"]) == ("succeeded", {"text": text, "lines": ["1. AB", "2. C"], "times": None})


ROUNDS = {"total": 6, "seen": ["x"] * 3, "rounds": 3, "from": 6}
FOUR = {"halves": [None, 1, None, 2], "top": [4, 3], "first": 4, "size": "many: d"}
ONE = {"halves": [None], "top": [], "first": None, "size": "few"}


@pytest.mark.parametrize(("count", "wanted"), [(4, FOUR), (1, ONE)])
async def test_lists_loops_and_groups(house: Served, count: int, wanted: dict[str, Any]) -> None:
    end = await run(house, await taken(house, "lists"), count=count, flag=True, shape={"a": 2.5}, word="x")
    assert (end["outputs"], end["error"]) == ({**wanted, **ROUNDS, "deep": 2.5, "flag": True}, None)
    assert end["status"] == "succeeded"


async def test_requests_of_every_kind(house: Served, service: Wire) -> None:
    key = await taken(house, "requests", service.url("").rstrip("/"))
    doc = await sent(house, key, "a.txt", b"Hello", "document", "text/plain")
    end = await run(house, key, path="/a", doc=doc)
    assert end["outputs"] == {
        "key": "value", "next": 43, "sent": '{"key":"value","number":42}', "status": 201,
        "form": '["Basic YW5uOnNlY3JldA==","a=x+%26+y&b="]', "why": "HTTPResponseCodeError: True", "never": None,
        "each": ['"ok"'] * 3, "denied": 599, "instead": "denied default",
    }  # fmt: skip
    assert end["status"] == "partial-succeeded"
    assert (await WorkflowRun.objects.aget(pk=end["id"])).exceptions_count == 2
    seen = {request.target.partition("?")[0]: request for request in service.requests}
    assert sorted(request.target for request in service.requests if request.target.startswith("/key")) == [
        "/key?n=1", "/key?n=2", "/key?n=3",
    ]  # fmt: skip
    assert (seen["/json/a"].target, seen["/json/a"].headers["x-time"]) == ("/json/a?q=a+b&empty=", "10:30")
    assert seen["/upload"].headers["authorization"] == "Bearer sk-of-the-service"
    assert b'filename="a.txt"' in seen["/upload"].body and b"Hello" in seen["/upload"].body
    assert jsonio.loads(seen["/missing"].body) == {"loose": True, "n": "/a1"}


async def test_documents_pictures_and_structured_answers(house: Served) -> None:
    found = '<think>{"a": 1}</think>{"title": "T", "kind": "letter", "long": true, "parts": ["a"]}'
    house.upstream.choose = replies(**{"Sum up": '{"title": "T", "pages": 2}', "Look at": found})
    key = await taken(house, "papers")
    paper = await sent(house, key, "p.pdf", documents.pdf("First page", "Second page"), "document", "application/pdf")
    files = [
        await sent(house, key, "z.docx", documents.word(), "document", "application/octet-stream"),
        await sent(house, key, "c.png", PNG, "image", "image/png"),
        await sent(house, key, "a.md", b"# Title", "document", "text/markdown"),
    ]
    end = await run(house, key, paper=paper, files=files)
    word = "## Results\n\nBefore the table.\n\n| Name | Size |\n| --- | --- |\n| a\\|b | two lines |\n\nAfter it.\n\n- Milk"
    assert (end["error"], end["outputs"]) == (None, {
        "paper": "First page\n\nSecond page", "all": ["# Title", word], "title": "T", "kind": "letter", "long": True,
        "parts": ["a"], "name": "p.pdf", "picture": "image/png",
    })  # fmt: skip
    first, second = [request.body for request in house.upstream.received]
    know, (picture, question) = first["messages"][0]["content"], first["messages"][1]["content"]
    assert know == f"Know this: # Title\n{word}"
    assert question["text"] == "Sum up First page\n\nSecond page (3)"
    assert picture["image_url"]["url"].startswith("data:image/png") and picture["image_url"]["detail"] == "low"
    assert first["response_format"]["json_schema"]["schema"]["required"] == ["title"]
    assert "Look at T" in second["messages"][0]["content"] and "response_format" not in second


async def say(house: Served, key: Key, query: str, conversation: str = "") -> dict[str, Any]:
    body = {"inputs": {}, "query": query, "user": "u1", "response_mode": "blocking", "conversation_id": conversation}
    answer = await house.call("POST", "/v1/chat-messages", key=key, json={**body, "auto_generate_name": False})
    assert answer.status == 200, answer.body
    return dict(answer.json())


async def test_a_conversation_remembers(house: Served) -> None:
    key = await taken(house, "desk")
    first = await say(house, key, "Ann")
    assert first["answer"] == "Welcome to the Hotel, Ann."
    talk = first["conversation_id"]
    choice = '{"keywords": [], "category_id": "%s", "category_name": ""}'
    house.upstream.choose = replies(category_id=choice % "1")
    assert (await say(house, key, "Tea", talk))["answer"] == "* Tea\n1 for room 7: - Tea said.answer"
    assert (await say(house, key, "Milk", talk))["answer"] == "* Tea\n* Milk\n2 for room 7: - Tea\n- Milk said.answer"
    house.upstream.choose = replies(category_id=choice % "2", sit="Hm.")
    assert (await say(house, key, "Why?", talk))["answer"] == "Hm."
    told = [message["content"] for message in house.upstream.last.body["messages"]]
    assert (told[0], told[1], told[-1]) == ("You sit at the desk of the Hotel.", "Ann", "Why? (please)")
    kept = {row.name: row.value async for row in ConversationVariable.objects.filter(conversation_id=talk)}
    assert kept == {"guest": "Ann", "wishes": ["Tea", "Milk"], "count": 2, "room": {"number": 7}}


@pytest.mark.parametrize(
    ("action", "outputs"),
    [
        ("send", {"text": "Dear Madam", "how": "send", "shown": "Dear Sir\n\nDear Madam"}),
        ("drop", {"how": "drop"}),
    ],
)  # fmt: skip
async def test_a_person_decides(house: Served, action: str, outputs: dict[str, Any]) -> None:
    key = await taken(house, "approval")
    paused = await run(house, key, topic="Sir")
    (reason,) = paused["reasons"]
    assert (paused["status"], reason["resolved_default_values"]) == ("paused", {"text": "Dear Sir"})
    form = await HumanInputForm.objects.aget(run_id=paused["id"])
    assert timedelta(hours=35) < form.expires_at - clock.now() <= timedelta(hours=36)
    answer = {"user": "u1", "action": action, "inputs": {"text": "Dear Madam"}}
    place = f"/v1/form/human_input/{reason['form_token']}"
    assert (await house.call("POST", place, key=key, json=answer)).status == 200
    events = f"/v1/workflow/{paused['id']}/events"
    told = await house.call("GET", events, key=key, params={"user": "u1"})
    last = told.frames[-1].record
    assert (last["event"], last["data"]["outputs"]) == ("workflow_finished", outputs)
    assert (await Run.objects.aget(pk=paused["id"])).status == "succeeded"
