"""GET /v1/files/{id}/preview and signed addresses: who may see a file, and how it is handed out."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Tenant
from apps.models import MessageFile, UploadFile
from apps.services import files
from difyproj.infra.storage import get_storage
from difyproj.testing.cast import Person
from difyproj.testing.served import Answer, Key, Served, make_app

from .contract import UNKNOWN_ID, assert_error
from .test_file_upload import PNG, upload

MP3 = b"ID3\x03" + bytes(range(200))
FILES = {
    "enabled": True,
    "allowed_file_types": ["image", "document", "audio", "video"],
    "allowed_file_upload_methods": ["local_file", "remote_url"],
    "number_limits": 3,
}


async def mentioned(
    house: Served, content: bytes = PNG, *, name: str = "cat.png", mime: str = "image/png", kind: str = "image"
) -> str:
    """An upload that a message refers to."""
    await house.configure(house.chat, file_upload=FILES)
    file_id = str((await upload(house, content, name=name, mime=mime)).json()["id"])
    answer = await house.ask(
        files=[{"type": kind, "transfer_method": "local_file", "upload_file_id": file_id}], response_mode="blocking"
    )
    assert answer.status == 200, answer.body
    return file_id


async def preview(house: Served, file_id: str, *, key: Key | None = None, **params: str) -> Answer:
    return await house.call("GET", f"/v1/files/{file_id}/preview", key=key, params={"user": "u1", **params})


async def test_a_mentioned_file_is_shown_as_what_it_is(house: Served) -> None:
    answer = await preview(house, await mentioned(house))
    assert (answer.status, answer.body) == (200, PNG)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Length"] == str(len(PNG))
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Accept-Ranges" not in answer.headers
    assert "Content-Disposition" not in answer.headers


async def test_it_is_downloaded_on_request(house: Served) -> None:
    answer = await preview(house, await mentioned(house, name="Käse & Brot.png"), as_attachment="true")
    assert answer.body == PNG
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''K%C3%A4se%20%26%20Brot.png"


async def test_audio_and_video_say_that_they_have_ranges(house: Served) -> None:
    answer = await preview(house, await mentioned(house, MP3, name="a.mp3", mime="audio/mpeg", kind="audio"))
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("name", "mime", "kind"),
    [
        ("x.html", "text/html", "document"),
        ("x.svg", "image/svg+xml", "image"),
        ("x.xhtml", "application/xhtml+xml", "document"),
        ("x.png", "image/png, text/html", "image"),
        ("x.png", "image/unheard-of", "image"),
    ],
)
async def test_what_could_run_in_a_browser_is_only_downloaded(house: Served, name: str, mime: str, kind: str) -> None:
    file_id = await mentioned(house, b"<script>alert(1)</script>", name=name, mime=mime, kind=kind)
    answer = await preview(house, file_id)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_a_file_that_no_message_mentions_is_not_found(house: Served) -> None:
    file_id = (await upload(house)).json()["id"]
    assert_error(await preview(house, file_id), 404, "file_not_found")


@pytest.mark.parametrize("unknown", [UNKNOWN_ID, "no-uuid", "..%2f..%2fetc%2fpasswd"])
async def test_an_unknown_file_is_not_found(house: Served, unknown: str) -> None:
    answer = await preview(house, unknown)
    assert answer.status == 404
    assert answer.json()["code"] in ("file_not_found", "not_found")


async def test_another_app_of_the_tenant_is_denied_and_another_tenant_finds_nothing(house: Served) -> None:
    file_id = await mentioned(house)
    assert_error(await preview(house, file_id, key=house.completion), 403, "file_access_denied")
    assert_error(await preview(house, file_id, key=house.foreign), 404, "file_not_found")


async def test_bytes_that_are_gone_are_not_found(house: Served) -> None:
    file_id = await mentioned(house)
    row = await UploadFile.objects.aget()
    await sync_to_async(get_storage().delete)(row.key)
    assert_error(await preview(house, file_id), 404, "file_not_found")


async def by_address(house: Served, address: str) -> Answer:
    """The signed address, asked of the test's own server, without a token."""
    parts = urlsplit(address)
    async with house.client.get(f"{house.url}{parts.path}?{parts.query}") as response:
        return Answer(response.status, response.headers, await response.read())


async def test_whoever_has_the_signed_address_sees_the_file(house: Served) -> None:
    address = (await upload(house)).json()["source_url"]
    answer = await by_address(house, address)
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, PNG, "image/png")
    download = await by_address(house, address + "&as_attachment=true")
    assert download.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("missing", ["timestamp", "nonce", "sign"])
async def test_an_incomplete_address_is_refused(house: Served, missing: str) -> None:
    address = (await upload(house)).json()["source_url"]
    parts = urlsplit(address)
    query = "&".join(f"{name}={value}" for name, value in parse_qsl(parts.query) if name != missing)
    assert_error(await by_address(house, f"{parts.path}?{query}"), 400, "bad_request")


async def test_a_changed_address_is_refused(house: Served) -> None:
    address = (await upload(house)).json()["source_url"]
    other = (await upload(house, name="b.png")).json()["id"]
    query = dict(parse_qsl(urlsplit(address).query))
    later = str(int(query["timestamp"]) + 1)
    for changed in (
        address.replace(urlsplit(address).path.split("/")[2], other),
        address.replace(f"timestamp={query['timestamp']}", f"timestamp={later}"),
        address[:-1] + ("A" if address[-1] != "A" else "B"),
        address.replace(f"sign={query['sign']}", "sign=%F0%9F%92%A9"),
    ):
        assert_error(await by_address(house, changed), 403, "forbidden")


async def test_an_address_expires(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SIGNED_FOR", timedelta(seconds=-1))
    address = (await upload(house)).json()["source_url"]
    assert_error(await by_address(house, address), 403, "forbidden")


def sister_app(person: Person, tenant: Tenant) -> Key:
    assert person.tenant == tenant
    return make_app(person, "chat", file_upload=FILES)


async def test_only_ones_own_upload_goes_into_a_question(house: Served) -> None:
    await house.configure(house.chat, file_upload=FILES)
    await house.configure(house.foreign, file_upload=FILES)
    sister = await sync_to_async(sister_app)(house.cast.alice, house.cast.alice.tenant)
    file_id = (await upload(house)).json()["id"]
    given = [{"type": "image", "transfer_method": "local_file", "upload_file_id": file_id}]
    for key, user in ((house.chat, "u2"), (house.foreign, "u1"), (sister, "u1")):
        assert_error(await house.ask(key=key, user=user, files=given), 400, "invalid_param", params="files")
    for unknown in (UNKNOWN_ID, "no-uuid", ""):
        wrong = [{**given[0], "upload_file_id": unknown}]
        assert_error(await house.ask(files=wrong), 400, "invalid_param", params="files")
    assert not await MessageFile.objects.aexists()
    assert house.upstream.requests == 0
