"""Request bodies: read whole however they are sent, and closed when their answer is out."""

from __future__ import annotations

import asyncio
import gc
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test.utils import override_settings

from apps.models import UploadFile
from difyproj.infra.storage import get_storage
from difyproj.kernel import jsonio
from difyproj.testing.served import Served
from difyproj.tiers.files import FileBody

from .test_file_upload import PNG, part

FORM = {"Content-Type": "multipart/form-data; boundary=cut"}


async def in_pieces(body: bytes, size: int = 16) -> AsyncIterator[bytes]:
    """A body without a known length: the client sends it as chunks."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def form(content: bytes) -> bytes:
    return b"--cut\r\n" + part('name="file"; filename="cat.png"', content, "image/png") + b"\r\n--cut--\r\n"


async def test_a_question_in_chunks_is_answered(house: Served) -> None:
    body = jsonio.dumps({"inputs": {}, "query": "Hello?", "user": "u1", "response_mode": "blocking"})
    headers = {"Content-Type": "application/json"}
    answer = await house.call("POST", "/v1/chat-messages", data=in_pieces(body), headers=headers)
    assert (answer.status, answer.json()["answer"]) == (200, "Hello, world!")


@pytest.mark.parametrize("content", [PNG, PNG * 100_000], ids=["small", "large"])
async def test_a_file_in_chunks_is_kept_whole(house: Served, content: bytes) -> None:
    answer = await house.call("POST", "/v1/files/upload", data=in_pieces(form(content), 65_536), headers=FORM)
    assert (answer.status, answer.json()["size"]) == (201, len(content))
    assert get_storage().read((await UploadFile.objects.aget()).key) == content


@pytest.fixture
def left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """The temporary files of this process that are open still, without the garbage collector's mercy."""

    def listing() -> list[str]:
        found = []
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):
                found.append(str(descriptor.readlink()))
        return [path for path in found if path.startswith(str(tmp_path))] + [str(path) for path in tmp_path.iterdir()]

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gc.disable()
    yield listing
    gc.enable()


async def test_what_a_request_opened_is_closed_with_its_answer(house: Served, left_open: Callable[[], list[str]]) -> None:
    """Kept and refused uploads alike, and bodies that break off or are too long."""
    large = form(PNG * 200_000)
    assert (await house.call("POST", "/v1/files/upload", data=large, headers=FORM)).status == 201
    assert left_open() == []
    assert (await house.call("POST", "/v1/nope", data=large, headers=FORM)).status == 404
    assert (await house.call("POST", "/v1/chat-messages", data=large, headers=FORM)).status == 400
    assert left_open() == []
    with override_settings(MAX_BODY_BYTES=4_000_000):
        answer = await house.call("POST", "/v1/files/upload", data=in_pieces(large, 65_536), headers=FORM)
    assert answer.status == 413
    assert left_open() == []


async def test_a_body_that_breaks_off_leaves_nothing_open(house: Served, left_open: Callable[[], list[str]]) -> None:
    address = urlsplit(house.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"POST /v1/files/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + bytes(3_000_000))
    await writer.drain()
    assert await _becomes(lambda: left_open() != [])
    writer.close()
    assert await _becomes(lambda: left_open() == [])


async def _becomes(true: Callable[[], bool]) -> bool:
    for _ in range(200):
        if true():
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.usefixtures("house_db")
def test_a_file_body_that_nobody_reads_closes_its_file() -> None:
    file = io.BytesIO(PNG)
    FileBody(file, name="cat.png", mime_type="image/png", size=len(PNG)).close()
    assert file.closed
