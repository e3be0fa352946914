"""Multipart forms that nobody's browser sends: each is read or refused, in bounded time, and none breaks anything."""

from __future__ import annotations

import io
import time

import pytest
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.parsers import DataAndFiles

from apps.models import UploadFile
from difyproj.kernel.errors import DomainError
from difyproj.testing.served import Answer, Served
from difyproj.tiers.parsers import UploadParser

from .contract import assert_error
from .test_file_upload import part, upload_raw

MEGABYTE = 1024 * 1024
NAMES = st.text(alphabet=st.sampled_from("ab;\"'\\=\0\r\n\té%*./"), max_size=12)
HEADERS = st.sampled_from(
    [
        'Content-Disposition: form-data; name="file"; filename="{}"',
        'Content-Disposition: form-data; name="{}"',
        "Content-Disposition: form-data; name=file; filename*=UTF-8''{}",
        "Content-Disposition: form-data; name=file; filename*={}''x",
        "Content-Disposition: attachment; {}",
        "Content-Disposition: form-data; name*0={}; name*1=b",
        "Content-Type: text/plain; charset={}",
        "Content-Type: {}",
        "Content-Transfer-Encoding: base64{}",
        "Content-Transfer-Encoding: {}",
        "Content-Length: {}",
        "{}",
    ]
)
LINES = st.lists(st.builds(lambda line, name: line.format(name), HEADERS, NAMES), max_size=4)
PARTS = st.builds(
    lambda lines, body: "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body,
    LINES,
    st.binary(max_size=30) | st.sampled_from([b"--cut", b"\r\n--cut", b"\r\n--cu", b"A===", b"\xff" * 5]),
)
FRAMES = st.lists(st.sampled_from([b"--cut\r\n", b"--cut--\r\n", b"\r\n--cut\r\n", b"--cut", b"\r\n"]) | PARTS, max_size=8)


def read(body: bytes, content_type: str = "multipart/form-data; boundary=cut") -> DataAndFiles[object, object]:
    request: HttpRequest = RequestFactory().post("/", content_type=content_type)
    request.META["CONTENT_LENGTH"] = str(len(body))
    parsed: DataAndFiles[object, object] = UploadParser().parse(io.BytesIO(body), content_type, {"request": request})
    return parsed


@settings(deadline=None, max_examples=300)
@given(FRAMES)
def test_any_parts_are_read_or_refused(frames: list[bytes]) -> None:
    try:
        read(b"".join(frames))
    except DomainError as error:
        assert error.status == 400


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40) | st.sampled_from(['"', '""', "x" * 300, "cut; boundary=b", "é", "a b", "=cut", "cut\r\nX: y"]))
def test_any_boundary_is_read_or_refused(boundary: str) -> None:
    try:
        read(b"--cut\r\n\r\nx\r\n--cut--\r\n", f"multipart/form-data; boundary={boundary}")
    except DomainError as error:
        assert error.status == 400


FIELD = b'--cut\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nv\r\n'
BASE64 = part('name="file"; filename="a.txt"\r\nContent-Transfer-Encoding: base64')[:-1]


@pytest.mark.parametrize(
    "body",
    [
        b"--cut\r\n\r\n\r\n" * (MEGABYTE // 10),
        b"--cut\r\n" * (MEGABYTE // 7),
        b"-" * MEGABYTE,
        b"\r\n--cu" * (MEGABYTE // 6),
        b"\r\n" * (MEGABYTE // 2),
        b"--cut\r\nX: " + b"a" * MEGABYTE + b"\r\n\r\nx\r\n--cut--\r\n",
        b"--cut\r\nContent-Disposition: form-data; name=x" + b";a=b" * 240 + b"\r\n\r\nx\r\n--cut--\r\n",
        b"--cut\r\n" + BASE64 + b"\n" * MEGABYTE + b"\r\n--cut--\r\n",
        b"--cut\r\n" + BASE64 + b"A \n" * (MEGABYTE // 3) + b"\r\n--cut--\r\n",
        b"".join(FIELD % number for number in range(20_000)),
    ],
    ids=["empty", "cuts", "dashes", "almost", "lines", "header", "options", "newlines", "base64", "fields"],
)
def test_a_megabyte_of_tricks_takes_no_time(body: bytes) -> None:
    began = time.thread_time()
    try:
        read(body)
    except DomainError as error:
        assert error.status == 400
    assert time.thread_time() - began < 2.0


def test_fields_together_have_a_limit() -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10_000), pytest.raises(RequestDataTooBig):
        read(b"--cut\r\n" + part('name="user"', b"x" * 20_000, "") + b"\r\n--cut--\r\n")


async def refused(house: Served, *parts: bytes) -> Answer:
    answer = await upload_raw(house, *parts)
    assert not await UploadFile.objects.aexists()
    return answer


async def test_too_many_parts_are_refused_in_our_words(house: Served) -> None:
    files = [part(f'name="f{number}"; filename="a.txt"') for number in range(50)]
    assert_error(await refused(house, *files), 400, "too_many_files")
    fields = [part(f'name="f{number}"', b"v", "") for number in range(2000)]
    assert_error(await refused(house, *fields, part('name="file"; filename="a.txt"')), 400, "invalid_param")


async def test_fields_that_are_too_large_are_refused_in_our_words(house: Served) -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10_000):
        answer = await refused(house, part('name="user"', b"x" * 20_000, ""), part('name="file"; filename="a.txt"'))
    assert_error(answer, 413, "request_entity_too_large")


@pytest.mark.parametrize(
    "name",
    ["../../x.txt", "..\\\\x.txt", "a%00b.txt", "a\0b.txt", "/etc/passwd", "C:\\\\x.txt", "x/../../y", "....//x", "\u2044x/y"],
)
@pytest.mark.parametrize("form", ['filename="{}"', "filename*=UTF-8''{}"])
async def test_no_name_leads_anywhere(house: Served, name: str, form: str) -> None:
    answer = await upload_raw(house, part(f'name="file"; {form.format(name)}'))
    assert answer.status in (201, 400), answer.body
    async for row in UploadFile.objects.all():
        assert not set(row.name) & set("/\\\0")
        assert row.key == f"upload_files/{row.tenant_id}/{row.pk}.{row.extension}" and row.extension == "txt"


@pytest.mark.parametrize("extension", ["../x", "a/b", "..", "\0", "x" * 300, "é", " ", "p h p", "txt\n", "😀"])
async def test_no_extension_leads_anywhere(house: Served, extension: str) -> None:
    answer = await upload_raw(house, part(f'name="file"; filename="a.{extension}"'))
    assert answer.status in (201, 400), answer.body
    async for row in UploadFile.objects.all():
        assert row.key.startswith(f"upload_files/{row.tenant_id}/{row.pk}") and len(row.extension) <= 32
