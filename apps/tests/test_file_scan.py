"""Uploads with a virus scanner: what is found is refused, and without a verdict nothing is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test.utils import override_settings

from apps.models import DoomedBytes, UploadFile
from difyproj.infra.storage import Content, LocalStorage, get_storage
from difyproj.testing.clamd import EICAR, FakeClamd
from difyproj.testing.served import Served

from .contract import assert_error
from .test_file_upload import PNG, upload


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that the storage was given, whatever became of them."""
    save, keys = LocalStorage.save, []

    def note(storage: LocalStorage, key: str, content: Content) -> None:
        keys.append(key)
        save(storage, key, content)

    monkeypatch.setattr(LocalStorage, "save", note)
    return keys


async def test_a_clean_file_is_scanned_whole_and_kept(house: Served) -> None:
    async with FakeClamd() as clamd, clamd.in_use():
        answer = await upload(house, PNG + bytes(200_000))
    assert answer.status == 201
    assert clamd.seen == [PNG + bytes(200_000)]
    assert get_storage().read((await UploadFile.objects.aget()).key) == PNG + bytes(200_000)


async def test_an_infected_file_is_refused_and_never_reaches_the_storage(
    house: Served, kept: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeClamd(tmp_path / "ctl") as clamd, clamd.in_use():
        answer = await upload(house, EICAR, name="eicar.txt", mime="text/plain")
    assert_error(answer, 400, "invalid_param", params="file")
    assert answer.json()["message"] == "File contains malicious content"
    assert kept == []
    assert not await UploadFile.objects.aexists()
    assert not await DoomedBytes.objects.aexists()
    assert "Eicar-Test-Signature" in caplog.text
    assert b"Eicar" not in answer.body


@pytest.mark.parametrize("address", ["127.0.0.1:1", "/nowhere/clamd.ctl"])
async def test_without_a_scanner_nothing_is_taken(house: Served, kept: list[str], address: str) -> None:
    with override_settings(ENABLE_VIRUS_SCAN=True, CLAMD_ADDRESS=address):
        answer = await upload(house)
    assert_error(answer, 500, "internal_server_error")
    assert answer.json()["message"] == "File security check failed"
    assert address.encode() not in answer.body
    assert kept == []
    assert not await UploadFile.objects.aexists()


async def test_what_the_scanner_will_not_take_is_not_taken(house: Served, kept: list[str]) -> None:
    async with FakeClamd(limit=100) as clamd, clamd.in_use():
        assert_error(await upload(house, bytes(5000), name="a.bin"), 500, "internal_server_error")
    assert kept == []


async def test_a_scanner_that_is_not_asked_for_is_not_asked(house: Served) -> None:
    async with FakeClamd() as clamd:
        with override_settings(CLAMD_ADDRESS=clamd.address):
            assert (await upload(house, EICAR, name="eicar.txt", mime="text/plain")).status == 201
    assert clamd.seen == []


async def test_a_refused_upload_may_be_sent_again(house: Served) -> None:
    once = {"Idempotency-Key": "scan-1"}
    with override_settings(ENABLE_VIRUS_SCAN=True, CLAMD_ADDRESS="127.0.0.1:1"):
        assert (await upload(house, headers=once)).status == 500
    async with FakeClamd() as clamd, clamd.in_use():
        assert (await upload(house, headers=once)).status == 201
