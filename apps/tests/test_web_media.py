"""Files and speech of visitors."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from django.test.utils import override_settings
from yarl import URL

from apps.models import UploadFile
from difyproj.kernel.tests.wire import Request, reply, serve
from difyproj.testing.console import TierClient
from difyproj.testing.served import Answer, Served
from difyproj.testing.upstream import Script

from .contract import UNKNOWN_ID, assert_error
from .test_file_upload import PNG
from .test_remote_files import client as client
from .test_remote_files import script
from .visits import asked, visit


def form(
    content: bytes = PNG, name: str = "cat.png", mime: str = "image/png", *, fields: dict[str, str] | None = None
) -> aiohttp.FormData:
    made = aiohttp.FormData(fields or {})
    made.add_field("file", content, filename=name, content_type=mime)
    return made


async def test_a_visitors_file_is_kept_and_is_the_visitors(house: Served) -> None:
    visitor = await visit(house)
    end_user = (await visitor.get("/site")).json()["end_user_id"]
    for fields in (None, {"source": "datasets"}, {"source": ""}):
        answer = await visitor.post("/files/upload", data=form(fields=fields))
        body = answer.json()
        assert (answer.status, body["name"], body["mime_type"], body["size"]) == (201, "cat.png", "image/png", len(PNG))
        assert (body["created_by"], body["extension"]) == (end_user, "png")
        assert body["source_url"].startswith("http")
        row = await UploadFile.objects.aget(pk=body["id"])
        assert (str(row.end_user_id), row.created_by_role, row.app_id) == (end_user, "end_user", house.chat.app.pk)


async def test_wrong_uploads_are_refused(house: Served) -> None:
    visitor = await visit(house)
    assert_error(await visitor.post("/files/upload", data=aiohttp.FormData({"x": "y"})), 400, "no_file_uploaded")
    assert_error(
        await visitor.post("/files/upload", data=form(fields={"source": "elsewhere"})), 400, "invalid_param", params="source"
    )
    with override_settings(UPLOAD_FILE_EXTENSION_BLACKLIST=["png"]):
        assert_error(await visitor.post("/files/upload", data=form()), 400, "file_extension_blocked")
    assert not await UploadFile.objects.aexists()


@pytest.mark.usefixtures("client")
async def test_a_remote_file_is_looked_at(house: Served) -> None:
    visitor = await visit(house)
    async with serve(script(lambda _: reply(PNG, Content_Type="image/png"))) as wire:
        address = wire.url("/my%20cat.png?size=2&x=a%26b")
        for given in (quote(address, safe=""), address, quote(address, safe="").replace("%2F%2F", "/")):
            answer = await call_raw(visitor, f"/remote-files/{given}")
            assert (answer.status, answer.json()) == (200, {"file_type": "image/png", "file_length": len(PNG)}), given
    assert {request.target for request in wire.requests} == {"/my%20cat.png?size=2&x=a%26b"}


async def call_raw(visitor: TierClient, path: str) -> Answer:
    """A GET whose path goes out as it is written."""
    url = URL(visitor.house.url + "/api" + path, encoded=True)
    async with visitor.house.client.get(url, headers=visitor.headers) as response:
        return Answer(response.status, response.headers, await response.read())


@pytest.mark.usefixtures("client")
async def test_a_remote_file_is_taken_in(house: Served) -> None:
    visitor = await visit(house)
    async with serve(script(lambda _: reply(PNG, Content_Type="image/png"))) as wire:
        answer = await visitor.post("/remote-files/upload", {"url": wire.url("/cat.png")})
    body = answer.json()
    assert (answer.status, set(body)) == (
        201, {"id", "name", "size", "extension", "mime_type", "created_by", "created_at", "url"},
    )  # fmt: skip
    assert (body["name"], body["size"], f"/files/{body['id']}/" in body["url"]) == ("cat.png", len(PNG), True)
    row = await UploadFile.objects.aget()
    assert (str(row.end_user_id), row.app_id) == (body["created_by"], house.chat.app.pk)


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://127.0.0.1/x", "http://10.0.0.1/x", "http://localhost:1/", "http://a\0b/"]
)
async def test_addresses_that_may_not_be_asked_are_refused(house: Served, url: str) -> None:
    visitor = await visit(house)
    assert (await visitor.post("/remote-files/upload", {"url": url})).status == 400
    if url:
        assert (await call_raw(visitor, f"/remote-files/{quote(url, safe='')}")).status == 400
    assert not await UploadFile.objects.aexists()


@pytest.mark.usefixtures("client")
async def test_a_remote_server_that_refuses_is_told(house: Served) -> None:
    visitor = await visit(house)

    def answer(request: Request) -> bytes:
        return reply(status="404 Not Found")

    async with serve(script(answer)) as wire:
        assert_error(await visitor.post("/remote-files/upload", {"url": wire.url()}), 400, "remote_file_upload_error")
        assert (await call_raw(visitor, f"/remote-files/{quote(wire.url(), safe='')}")).status == 400


@override_settings(WEB_USER_RATE="1/d")
@pytest.mark.usefixtures("client")
async def test_small_calls_have_a_rate_of_their_own(house: Served) -> None:
    await house.configure(house.chat, speech_to_text={"enabled": True}, suggested_questions_after_answer={"enabled": True})
    visitor = await visit(house)
    message = (await asked(visitor))["id"]
    calls: list[Any] = [
        lambda: visitor.post("/audio-to-text", data=form(b"RIFF", "a.wav", "audio/wav")),
        lambda: visitor.get(f"/messages/{message}/suggested-questions"),
        lambda: visitor.post("/remote-files/upload", {"url": "http://10.0.0.1/x"}),
        lambda: visitor.post("/files/upload", data=form(b"hello", "a.txt", "text/plain")),
    ]
    for call in calls:
        assert (await call()).status in (200, 201, 400)
        assert_error(await call(), 429, "too_many_requests")


async def test_speech_becomes_text(house: Served) -> None:
    visitor = await visit(house)
    assert_error(await visitor.post("/audio-to-text", data=form(b"RIFF", "a.wav", "audio/wav")), 400, "speech_to_text_disabled")
    await house.configure(house.chat, speech_to_text={"enabled": True})
    house.upstream.script = Script(transcript="Guten Tag.")
    answer = await visitor.post("/audio-to-text", data=form(b"RIFF", "a.wav", "audio/wav"))
    assert (answer.status, answer.json()) == (200, {"text": "Guten Tag."})
    assert_error(await visitor.post("/audio-to-text", data=aiohttp.FormData({"x": "y"})), 400, "no_audio_uploaded")
    assert_error(await visitor.post("/audio-to-text", data=form()), 415, "unsupported_audio_type")


async def test_an_answer_is_spoken_to_its_visitor_alone(house: Served) -> None:
    visitor, stranger = await visit(house), await visit(house)
    message = (await asked(visitor))["id"]
    assert (await visitor.post("/text-to-audio", {"text": "Hi"})).status == 400
    await house.configure(house.chat, text_to_speech={"enabled": True, "voice": "nova"})
    answer = await visitor.post("/text-to-audio", {"message_id": message, "text": "else"})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/mpeg")
    assert house.upstream.last.body["input"] == "Hello, world!"
    assert (await visitor.post("/text-to-audio", {"text": "Hi", "voice": "echo"})).status == 200
    assert house.upstream.last.body["voice"] == "echo"
    assert_error(await stranger.post("/text-to-audio", {"message_id": message}), 404, "not_found")
    assert_error(await visitor.post("/text-to-audio", {"message_id": UNKNOWN_ID}), 404, "not_found")
    assert_error(await visitor.post("/text-to-audio", {}), 400, "invalid_param", params="text")
