"""How stored files are handed out: in part, once, by their headers only, and never as a page of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from yarl import URL

from apps.models import UploadFile
from difyproj.testing.served import Answer, Served
from difyproj.tiers.files import Unsatisfiable, _part

from .contract import assert_error
from .test_file_upload import upload

SONG = b"ID3\x03" + bytes(range(252))


async def shown(house: Served, address: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
    parts = urlsplit(address)
    async with house.client.request(method, f"{house.url}{parts.path}?{parts.query}", headers=headers) as response:
        return Answer(response.status, response.headers, await response.read())


@pytest.fixture
async def song(house: Served) -> str:
    """The signed address of an audio file of 256 bytes."""
    answer = await upload(house, SONG, name="song.mp3", mime="audio/mpeg")
    return str(answer.json()["source_url"])


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=10-19", 10, 19), ("bytes=250-", 250, 255), ("bytes=-6", 250, 255), ("bytes=0-", 0, 255),
     ("bytes=0-999", 0, 255), ("bytes=-999", 0, 255), (" bytes=1-2 ", 1, 2)],
)  # fmt: skip
async def test_a_part_is_given(house: Served, song: str, asked: str, first: int, last: int) -> None:
    answer = await shown(house, song, headers={"Range": asked})
    assert (answer.status, answer.body) == (206, SONG[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/256"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "audio/mpeg"


@pytest.mark.parametrize("asked", ["bytes=256-", "bytes=999-1000", "bytes=-0", f"bytes={'9' * 18}-"])
async def test_a_part_behind_the_end_is_refused_in_our_words(house: Served, song: str, asked: str) -> None:
    answer = await shown(house, song, headers={"Range": asked})
    assert_error(answer, 416, "requested_range_not_satisfiable")
    assert answer.headers["Content-Range"] == "bytes */256"


@pytest.mark.parametrize(
    "asked",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-3", "bytes=0-1,3-4", "lines=0-1", "bytes=٣-٤", "bytes=--1",
     f"bytes={'9' * 400}-", "bytes=0x1-2", "bytes=1-2;"],
)  # fmt: skip
async def test_an_odd_range_is_not_heard(house: Served, song: str, asked: str) -> None:
    answer = await shown(house, song, headers={"Range": asked})
    assert (answer.status, answer.body) == (200, SONG)


async def test_an_empty_file_has_no_parts(house: Served) -> None:
    address = (await upload(house, b"", name="a.mp3", mime="audio/mpeg")).json()["source_url"]
    assert_error(await shown(house, address, headers={"Range": "bytes=0-"}), 416, "requested_range_not_satisfiable")
    assert (await shown(house, address)).body == b""


async def test_only_the_headers_are_given_when_only_they_are_asked(house: Served, song: str) -> None:
    answer = await shown(house, song, "HEAD", {"Range": "bytes=0-9"})
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "256")
    assert answer.headers["Content-Type"] == "audio/mpeg"


async def test_who_has_the_bytes_is_not_sent_them_again(house: Served, song: str) -> None:
    tag = (await shown(house, song)).headers["ETag"]
    assert tag == f'"{(await UploadFile.objects.aget()).hash}"'
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await shown(house, song, headers={"If-None-Match": known})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    assert (await shown(house, song, headers={"If-None-Match": '"other"'})).status == 200


async def test_a_part_of_another_version_is_not_mixed_in(house: Served, song: str) -> None:
    tag = (await shown(house, song)).headers["ETag"]
    same = await shown(house, song, headers={"Range": "bytes=0-1", "If-Range": tag})
    for other in ('"other"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        answer = await shown(house, song, headers={"Range": "bytes=0-1", "If-Range": other})
        assert (answer.status, len(answer.body)) == (200, 256)
    assert same.status == 206


SCRIPT = b"<script>alert(document.domain)</script>"


@pytest.mark.parametrize(
    ("name", "mime", "content"),
    [
        ("x.html", "text/html", SCRIPT),
        ("x.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("x.svg", "image/png", b"<?xml version='1.0'?><svg onload='alert(1)'/>"),
        ("x.png", "image/png", SCRIPT),
        ("x.png", "image/png", "<html>".encode("utf-16")),
        ("x.xml", "text/xml", b"<?xml version='1.0'?><x xmlns='http://www.w3.org/1999/xhtml'/>"),
        ("x.xhtml", "application/xhtml+xml", SCRIPT),
        ("x.mht", "multipart/related", b"From: x\r\nContent-Type: text/html\r\n\r\n" + SCRIPT),
        ("x.js", "text/javascript", b"alert(1)"),
        ("x.css", "text/css", b"*{}"),
        ("x.pdf", "application/pdf", b"%PDF-1.7 /JavaScript"),
        ("x.swf", "application/x-shockwave-flash", b"FWS\x09"),
        ("x.wasm", "application/wasm", b"\0asm"),
        ("x.json", "application/json", b"{}"),
        ("x", "application/octet-stream", SCRIPT),
        ("x.csv", "text/csv", b"=cmd|' /C calc'!A0"),
    ],
)
async def test_what_could_run_is_a_download(house: Served, name: str, mime: str, content: bytes) -> None:
    address = (await upload(house, content, name=name, mime=mime)).json()["source_url"]
    answer = await shown(house, address)
    assert answer.headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert_locked_down(answer)


@pytest.mark.parametrize(
    ("name", "mime", "content"),
    [
        ("x.png", "image/png", b"\x89PNG\r\n\x1a\n" + SCRIPT),
        ("x.gif", "text/html", b"GIF89a/*" + SCRIPT),
        ("x.txt", "text/plain", SCRIPT),
        ("x.mp3", "audio/mpeg", SONG),
    ],
)
async def test_what_cannot_run_is_shown_and_still_locked_down(house: Served, name: str, mime: str, content: bytes) -> None:
    address = (await upload(house, content, name=name, mime=mime)).json()["source_url"]
    answer = await shown(house, address)
    assert "Content-Disposition" not in answer.headers
    assert "html" not in answer.headers["Content-Type"]
    assert_locked_down(answer)


def assert_locked_down(answer: Answer) -> None:
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("name", ['a"b.txt', "a\rX-Evil: 1.txt", "a\u202egnp.exe", "ü; filename=x.html", "%0d%0aX: y.txt"])
async def test_a_name_cannot_write_headers(house: Served, song: str, name: str) -> None:
    await UploadFile.objects.aupdate(name=name)
    answer = await shown(house, song + "&as_attachment=true")
    assert answer.status == 200
    disposition = answer.headers["Content-Disposition"].removeprefix("attachment; filename*=UTF-8''")
    assert disposition.isascii() and not set(disposition) & set('"; \r\n')
    assert "X-Evil" not in answer.headers


async def test_an_address_is_good_for_its_file_purpose_nonce_and_time_only(house: Served, song: str) -> None:
    parts = urlsplit(song)
    query = dict(parse_qsl(parts.query))
    other = (await upload(house, name="b.png")).json()
    forged = [
        parts._replace(path=parts.path.replace("file-preview", "image-preview")),
        parts._replace(path=f"/files/{other['id']}/file-preview"),
        parts._replace(query=urlencode({**query, "nonce": "0" * 32})),
        parts._replace(query=urlencode({**query, "nonce": query["nonce"][:-1]})),
        parts._replace(query=urlencode({**query, "timestamp": "9" * 15})),
        parts._replace(query=urlencode({**query, "timestamp": "0"})),
        parts._replace(query=urlencode({**query, "sign": ""}) + "&sign=x"),
        parts._replace(query=urlencode({**query, "sign": query["sign"].lower()})),
        parts._replace(query=urlencode({**query, "sign": dict(parse_qsl(urlsplit(other["source_url"]).query))["sign"]})),
        parts._replace(query=urlencode({**query, "nonce": "\0"})),
        parts._replace(query=urlencode({**query, "nonce": "😀"})),
    ]
    for address in forged:
        assert_error(await shown(house, address.geturl()), 403, "forbidden")
    assert (await shown(house, song)).status == 200


async def test_each_address_has_a_nonce_of_its_own(house: Served) -> None:
    first, second = [(await upload(house)).json()["source_url"] for _ in range(2)]
    assert dict(parse_qsl(urlsplit(first).query))["nonce"] != dict(parse_qsl(urlsplit(second).query))["nonce"]


TRAVERSALS = [
    "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "..%5c..%5cboot.ini", "%00", "upload_files", "%c0%ae%c0%ae%2f", "....//", "~root",
    "file:%2f%2f%2fetc%2fpasswd", "%252e%252e%252f", "a" * 3000, "%f0%9f%92%a9",
]  # fmt: skip


@pytest.mark.parametrize("file_id", TRAVERSALS)
async def test_no_id_leads_out_of_the_storage(house: Served, song: str, file_id: str) -> None:
    query = urlsplit(song).query
    for path in (f"/files/{file_id}/file-preview", f"/files/{file_id}/image-preview", f"/v1/files/{file_id}/preview"):
        address = URL(f"{house.url}{path}?{query}&user=u1", encoded=True)
        async with house.client.get(address, headers={"Authorization": f"Bearer {house.chat.token}"}) as response:
            body = await response.json()
        assert (response.status, body["status"]) in ((403, 403), (404, 404)), path
        assert body["code"] in ("file_not_found", "not_found", "forbidden")


def plain_request(**headers: str) -> Any:
    return Request(APIRequestFactory().get("/", headers=headers))


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="bytes=-0123456789, \t", max_size=30), st.integers(0, 300))
def test_no_range_reaches_beyond_the_file(asked: str, size: int) -> None:
    try:
        part = _part(plain_request(range=asked), size, "")
    except Unsatisfiable:
        return
    assert part is None or (0 <= part.start < part.stop <= size)
