"""clamd's protocol, spoken with a fake clamd on real sockets, and with the real one where it is installed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from django.test.utils import override_settings

from difyproj.infra.virus_scan import ScanFailed, scan, verdict
from difyproj.testing.clamd import EICAR, FakeClamd

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[None]:
    """Somebody on a loopback port who is asked in clamd's place."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with override_settings(CLAMD_ADDRESS=f"127.0.0.1:{port}", CLAMD_TIMEOUT_SECONDS=5.0):
            yield


async def test_clean_bytes_are_clean_and_arrive_whole() -> None:
    async with FakeClamd() as clamd, clamd.in_use():
        assert await scan(pieces(b"a" * 70_000, b"b")) == ""
        assert await scan(pieces()) == ""
    assert clamd.seen == [b"a" * 70_000 + b"b", b""]


async def test_what_is_found_is_named() -> None:
    async with FakeClamd() as clamd, clamd.in_use():
        assert await scan(pieces(EICAR[:20], EICAR[20:])) == "Eicar-Test-Signature"


async def test_a_unix_socket_does_too(tmp_path: Path) -> None:
    async with FakeClamd(tmp_path / "clamd.ctl") as clamd, clamd.in_use():
        assert await scan(pieces(EICAR)) == "Eicar-Test-Signature"


async def test_more_than_the_scanner_takes_is_no_verdict() -> None:
    async with FakeClamd(limit=1000) as clamd, clamd.in_use():
        with pytest.raises(ScanFailed, match="size limit exceeded"):
            await scan(pieces(*[b"x" * 600] * 3))


async def test_more_than_the_operator_lets_out_is_not_sent() -> None:
    async with FakeClamd() as clamd, clamd.in_use():
        with override_settings(CLAMD_STREAM_LIMIT=1), pytest.raises(ScanFailed, match="CLAMD_STREAM_LIMIT"):
            await scan(pieces(*[bytes(400_000)] * 3))
    assert clamd.seen == []


@pytest.mark.parametrize("address", ["127.0.0.1:1", "/nowhere/clamd.ctl"])
async def test_a_scanner_that_is_away_gives_no_verdict(address: str) -> None:
    with override_settings(CLAMD_ADDRESS=address), pytest.raises(ScanFailed):
        await scan(pieces(b"x"))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        b"stream: OK",
        b"stream: NOT OK\0",
        b"OK\0",
        b"stream: OK FOUND not\0",
        b"UNKNOWN COMMAND\0",
        b"x" * 9000 + b"\0",
        b"INSTREAM: Can't allocate memory ERROR\0",
        b"stream: \xff\xfe\0",
    ],
)
async def test_whatever_is_no_clear_verdict_is_none(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(bytes(4))
        writer.write(answer)
        writer.close()

    async with listening(talk):
        with pytest.raises(ScanFailed):
            await scan(pieces(b"x"))


async def test_a_scanner_that_hangs_up_gives_no_verdict() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with listening(talk):
        with pytest.raises(ScanFailed):
            await scan(pieces(*[bytes(100_000)] * 50))


async def test_a_scanner_that_never_answers_is_not_waited_for() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(talk):
        with override_settings(CLAMD_TIMEOUT_SECONDS=0.1), pytest.raises(ScanFailed, match="TimeoutError"):
            await scan(pieces(b"x"))


def test_a_name_may_hold_anything() -> None:
    assert verdict(b"stream: Win.Test OK FOUND\0") == "Win.Test OK"
    assert verdict(b"stream:  FOUND\0") == "unnamed"


@pytest.mark.skipif(shutil.which("clamd") is None, reason="clamd is not installed")
async def test_the_real_clamd_speaks_as_the_fake_does(tmp_path: Path) -> None:
    (tmp_path / "own.hdb").write_text("44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n")
    (tmp_path / "clamd.conf").write_text(
        f"LocalSocket {tmp_path}/ctl\nDatabaseDirectory {tmp_path}\nForeground yes\nStreamMaxLength 1M\n"
    )
    process = await asyncio.create_subprocess_exec(
        "clamd", f"--config-file={tmp_path}/clamd.conf", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            while not (tmp_path / "ctl").exists():
                assert process.returncode is None
                await asyncio.sleep(0.05)
        with override_settings(CLAMD_ADDRESS=str(tmp_path / "ctl")):
            assert await scan(pieces(b"hello", b" world")) == ""
            assert (await scan(pieces(EICAR))).startswith("Eicar-Test-Signature")
            with pytest.raises(ScanFailed):
                await scan(pieces(*[bytes(300_000)] * 8))
    finally:
        process.terminate()
        await process.wait()
