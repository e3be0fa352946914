"""POST /v1/files/upload: what is taken, what is refused, and what is kept."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from django.conf import settings
from django.db import DataError
from django.test.utils import override_settings

from apps.models import UploadFile
from difyproj.infra.storage import Content, LocalStorage, get_storage
from difyproj.testing.served import Answer, Key, Served

from .contract import assert_error

ONCE = {"Idempotency-Key": "upload-1"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(24)
# Of no format that anybody knows.
BLOB = b"\x01\x02\x03" * 8


async def upload(
    house: Served,
    content: bytes = PNG,
    *,
    name: str = "cat.png",
    mime: str = "image/png",
    user: str | None = "u1",
    key: Key | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", content, filename=name, content_type=mime)
    if user is not None:
        form.add_field("user", user)
    return await house.call("POST", "/v1/files/upload", key=key, data=form, headers=headers)


async def upload_raw(house: Served, *parts: bytes) -> Answer:
    body = b"".join(b"--cut\r\n" + part + b"\r\n" for part in parts) + b"--cut--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    return await house.call("POST", "/v1/files/upload", data=body, headers=headers)


def part(disposition: str, content: bytes = b"x", mime: str = "text/plain") -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n"
    return (head + (f"Content-Type: {mime}\r\n" if mime else "") + "\r\n").encode() + content


async def test_a_file_is_kept_whole_and_described(house: Served) -> None:
    answer = await upload(house)
    assert answer.status == 201
    body = answer.json()
    assert set(body) == {
        "id", "reference", "name", "size", "extension", "mime_type", "created_by", "created_at", "preview_url", "source_url",
        "original_url", "user_id", "tenant_id", "conversation_id", "file_key",
    }  # fmt: skip
    assert (body["name"], body["size"], body["extension"], body["mime_type"]) == ("cat.png", len(PNG), "png", "image/png")
    assert isinstance(body["created_at"], int)
    row = await UploadFile.objects.aget()
    assert (str(row.pk), row.app_id, row.tenant_id) == (body["id"], house.chat.app.pk, house.cast.alice.tenant.pk)
    assert str(row.end_user_id) == body["created_by"]
    assert get_storage().read(row.key) == PNG
    assert "cat" not in row.key
    assert row.key not in str(body)


async def test_without_a_user_the_anonymous_one_uploads(house: Served) -> None:
    assert (await upload(house, user=None)).status == 201
    row = await UploadFile.objects.select_related("end_user").aget()
    assert row.end_user is not None
    assert row.end_user.session_id == "DEFAULT-USER"


async def test_completion_apps_take_files_too(house: Served) -> None:
    assert (await upload(house, key=house.completion)).status == 201


async def test_without_a_file_there_is_nothing_to_keep(house: Served) -> None:
    assert_error(await upload_raw(house, part('name="user"', b"u1", "")), 400, "no_file_uploaded")
    assert_error(await house.call("POST", "/v1/files/upload", json={"user": "u1"}), 400, "no_file_uploaded")
    assert_error(await upload_raw(house, part('name="document"; filename="a.txt"')), 400, "no_file_uploaded")


async def test_only_one_file_at_a_time(house: Served) -> None:
    file = part('name="file"; filename="a.txt"')
    assert_error(await upload_raw(house, file, file), 400, "too_many_files")
    assert_error(await upload_raw(house, file, part('name="other"; filename="b.txt"')), 400, "too_many_files")
    assert not await UploadFile.objects.aexists()


async def test_a_file_needs_a_name(house: Served) -> None:
    assert_error(await upload_raw(house, part('name="file"; filename=""')), 400, "filename_not_exists_error")


@pytest.mark.parametrize("name", ["a/b.txt", "../../etc/passwd", "..\\b.txt", "a\\b.txt", "/a.txt"])
async def test_a_name_with_folders_is_refused(house: Served, name: str) -> None:
    answer = await upload_raw(house, part(f'name="file"; filename="{name}"'))
    assert_error(answer, 400, "invalid_param", params="file")
    assert not await UploadFile.objects.aexists()


@pytest.mark.parametrize("name", ["..", "a?.txt", "a*.txt", "a|b", "a:b.txt", "<b>.txt"])
async def test_a_name_that_no_disk_takes_is_refused(house: Served, name: str) -> None:
    answer = await upload_raw(house, part(f'name="file"; filename="{name}"'))
    assert answer.status == 400
    assert not await UploadFile.objects.aexists()


@pytest.mark.parametrize("name", ["x" * 240 + ".txt", "x." + "y" * 190, "x." + "y" * 240, "." + "y" * 240])
async def test_long_names_are_shortened(house: Served, name: str) -> None:
    answer = await upload(house, name=name, mime="text/plain")
    assert answer.status == 201
    assert len(answer.json()["name"]) <= 200
    row = await UploadFile.objects.aget()
    assert len(row.key) <= 255
    assert row.extension == "txt" or len(row.extension) <= 32


@pytest.mark.parametrize("name", ["Grüße 你好.txt", "no extension", ".hidden", "a.tar.gz", "x" * 190 + ".txt", "a&b;c.txt"])
async def test_other_names_stay_as_they_are(house: Served, name: str) -> None:
    answer = await upload(house, name=name, mime="text/plain")
    assert (answer.status, answer.json()["name"]) == (201, name)


async def test_a_part_without_a_type_is_refused(house: Served) -> None:
    answer = await upload_raw(house, part('name="file"; filename="a.txt"', mime=""))
    assert_error(answer, 415, "unsupported_file_type")


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("UPLOAD_FILE_SIZE_LIMIT", "a.pdf"),
        ("UPLOAD_IMAGE_FILE_SIZE_LIMIT", "a.PNG"),
        ("UPLOAD_AUDIO_FILE_SIZE_LIMIT", "a.mp3"),
        ("UPLOAD_VIDEO_FILE_SIZE_LIMIT", "a.mp4"),
    ],
)
async def test_each_kind_has_its_limit_and_the_error_an_empty_message(house: Served, setting: str, name: str) -> None:
    with override_settings(**{setting: 1}):
        answer = await upload(house, bytes(1024 * 1024 + 1), name=name, mime="application/x-any")
        assert_error(answer, 413, "file_too_large")
        assert answer.json()["message"] == ""
        assert (await upload(house, bytes(1024 * 1024), name=name, mime="application/x-any")).status == 201
    assert await UploadFile.objects.acount() == 1


async def test_blocked_extensions_are_refused(house: Served) -> None:
    with override_settings(UPLOAD_FILE_EXTENSION_BLACKLIST=["exe"]):
        assert_error(await upload(house, name="a.EXE"), 400, "file_extension_blocked")
        assert (await upload(house, name="a.exe.txt")).status == 201


@pytest.mark.parametrize("body", [b"", b"no multipart", b"--cut\r\nnonsense", b"--other--\r\n"])
async def test_a_broken_form_is_refused(house: Served, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    answer = await house.call("POST", "/v1/files/upload", data=body, headers=headers)
    assert answer.status == 400
    assert answer.json()["code"] in ("no_file_uploaded", "invalid_param")
    no_boundary = await house.call("POST", "/v1/files/upload", data=b"x", headers={"Content-Type": "multipart/form-data"})
    assert_error(no_boundary, 400, "invalid_param")


@pytest.mark.parametrize("user", ["x" * 256, "a\0b"])
async def test_a_wrong_user_is_refused(house: Served, user: str) -> None:
    assert_error(await upload(house, user=user), 400, "invalid_param", params="user")


async def test_fields_that_are_not_ours_change_nothing(house: Served) -> None:
    form = aiohttp.FormData()
    form.add_field("file", PNG, filename="cat.png", content_type="image/png")
    for name in ("tenant_id", "id", "created_by", "key"):
        form.add_field(name, "00000000-0000-4000-8000-000000000000")
    body: Any = (await house.call("POST", "/v1/files/upload", data=form)).json()
    assert body["tenant_id"] == str(house.cast.alice.tenant.pk)
    assert not body["id"].startswith("00000000")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("image/png", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("application/vnd.ms-excel.sheet+xml_1-0", "application/vnd.ms-excel.sheet+xml_1-0"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("image/png, text/html", "application/octet-stream"),
        ("image/png\nX: 1", "application/octet-stream"),
        ("image/png\rX: 1", "application/octet-stream"),
        ("image/png\n", "image/png"),
        ("image/png\0", "application/octet-stream"),
        ("image/", "application/octet-stream"),
        ("imäge/png", "application/octet-stream"),
        ("x/" + "y" * 300, "application/octet-stream"),
    ],
)
async def test_a_type_is_a_plain_one_or_unknown(house: Served, given: str, kept: str) -> None:
    answer = await upload_raw(house, part('name="file"; filename="a.bin"', BLOB, given))
    assert (answer.status, answer.json()["mime_type"]) == (201, kept)
    parts = urlsplit(answer.json()["source_url"])
    async with house.client.get(f"{house.url}{parts.path}?{parts.query}") as shown:
        assert (shown.status, shown.headers["Content-Type"], await shown.read()) == (200, kept, BLOB)


async def test_a_file_whose_row_cannot_be_kept_is_not_kept_either(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DataError("The row does not fit.")

    kept: list[str] = []
    save = LocalStorage.save

    def note(storage: LocalStorage, key: str, content: Content) -> None:
        save(storage, key, content)
        kept.append(key)

    with monkeypatch.context() as patched:
        patched.setattr(LocalStorage, "save", note)
        patched.setattr(UploadFile, "save", fail)
        assert (await upload(house, headers=ONCE)).status == 500
    (key,) = kept
    assert not get_storage().exists(key)
    assert (await upload(house, headers=ONCE)).status == 201


async def test_slow_disks_keep_nobody_else_waiting(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """More uploads than the database has threads are being written, and other requests are answered."""
    mended, save = threading.Event(), LocalStorage.save

    def crawl(storage: LocalStorage, key: str, content: Content) -> None:
        mended.wait(10)
        save(storage, key, content)

    monkeypatch.setattr(LocalStorage, "save", crawl)
    writing = [asyncio.create_task(upload(house)) for _ in range(settings.DB_THREADS + 1)]
    try:
        await asyncio.sleep(0.3)
        answer = await asyncio.wait_for(house.call("GET", "/v1/conversations", params={"user": "u1"}), 2)
    finally:
        mended.set()
    assert answer.status == 200
    assert [one.status for one in await asyncio.gather(*writing)] == [201] * len(writing)
    assert await UploadFile.objects.acount() == len(writing)
