"""The egress client on real sockets: bodies, pieces, the pool, time, size and plain errors."""

from __future__ import annotations

import asyncio
import gzip
import socket
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from difyproj.kernel.http import (
    AddressPolicy,
    Egress,
    EgressFailed,
    EgressRefused,
    EgressTimeout,
    EgressTooLarge,
    FormPart,
    Timeout,
)

from .wire import CHUNKED, Request, chunk, reply, self_signed, serve


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    client = Egress(AddressPolicy(["127.0.0.1"]))
    yield client
    await client.aclose()


async def echo(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(request.body, X_Target=request.target))


async def test_json_goes_out_compact_and_the_answer_comes_back(egress: Egress) -> None:
    async with serve(echo) as wire, egress.open("post", wire.url("/a?b=1"), params={"c": "d e"}, json={"x": "é"}) as answer:
        assert (answer.status, answer.headers["x-target"], await answer.read()) == (200, "/a?b=1&c=d+e", '{"x":"é"}'.encode())
        assert answer.url == wire.url("/a?b=1&c=d+e")
    assert wire.requests[0].headers["content-type"] == "application/json"


async def test_a_status_is_an_answer_and_never_an_error(egress: Egress) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"no", "503 Service Unavailable", Set_Cookie="a=b"))

    async with serve(script) as wire:
        for _ in range(2):
            async with egress.open("GET", wire.url()) as answer:
                assert (answer.status, await answer.read()) == (503, b"no")
    assert "cookie" not in wire.requests[1].headers


async def test_forms_files_text_and_streams_go_out_as_bodies(egress: Egress) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    parts = [FormPart("model", "whisper"), FormPart("file", b"\x00\xff", filename="录音.mp3", content_type="audio/mpeg")]
    async with serve(echo) as wire:
        for body in ({"a": "1 2"}, parts, "plain", pieces()):
            async with egress.open("POST", wire.url(), data=body) as answer:
                await answer.read()
    form, multipart, text, stream = wire.requests
    assert (form.headers["content-type"], form.body) == ("application/x-www-form-urlencoded", b"a=1+2")
    assert multipart.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert 'filename="录音.mp3"'.encode() in multipart.body and b"audio/mpeg\r\n" in multipart.body
    assert b'name="model"' in multipart.body and b"\x00\xff" in multipart.body
    assert (text.body, stream.body) == (b"plain", b"one two")


async def test_all_that_waits_on_the_socket_is_one_piece(egress: Egress) -> None:
    go = asyncio.Event()

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b"first"))
        await go.wait()
        writer.write(b"".join(chunk(b"%d;" % n) for n in range(50)) + chunk(b""))

    async with serve(script) as wire, egress.open("GET", wire.url()) as answer:
        pieces = answer.chunks()
        assert await anext(pieces) == b"first"
        go.set()
        await asyncio.sleep(0.05)
        assert await anext(pieces) == b"".join(b"%d;" % n for n in range(50))
        assert [piece async for piece in pieces] == []


async def test_held_bytes_stay_on_the_socket_and_come_as_one_piece(egress: Egress) -> None:
    """Its connection serves the next call as ever, also when the whole rest lay there."""

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b"first"))
        await writer.drain()
        await go.wait()
        for n in range(5):
            writer.write(chunk(b"%d" % n))
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(chunk(b""))

    async with serve(script) as wire:
        for _ in range(2):
            go = asyncio.Event()
            async with egress.open("GET", wire.url()) as answer:
                pieces = answer.chunks()
                assert await anext(pieces) == b"first"
                answer.hold(0.2)
                go.set()
                assert [piece async for piece in pieces] == [b"01234"]
        assert wire.connections == 1


async def test_leaving_a_held_answer_closes_the_upstream_socket_at_once(egress: Egress) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b"first"))
        await asyncio.sleep(60)

    async with serve(script) as wire:
        async with egress.open("GET", wire.url("/hold")) as answer:
            await answer.next()
            answer.hold(60)
        await asyncio.wait_for(wire.closed.wait(), 0.5)


async def test_a_fully_read_answer_gives_its_connection_back(egress: Egress) -> None:
    async with serve(echo) as wire:
        for _ in range(5):
            async with egress.open("POST", wire.url(), data=b"x") as answer:
                await answer.read()
        assert wire.connections == 1


async def test_leaving_early_closes_the_upstream_socket_at_once(egress: Egress) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b"first"))
        await asyncio.sleep(60)

    async with serve(script) as wire:
        async with egress.open("GET", wire.url("/hold")) as answer:
            assert await anext(answer.chunks()) == b"first"
        await asyncio.wait_for(wire.closed.wait(), 0.5)
        async with egress.open("GET", wire.url("/hold")) as answer:
            assert await anext(answer.chunks()) == b"first"
        assert wire.connections == 2


async def test_a_cancelled_reader_closes_the_upstream_socket_at_once(egress: Egress) -> None:
    started = asyncio.Event()

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b"first"))
        await asyncio.sleep(60)

    async def consume(url: str) -> None:
        async with egress.open("GET", url) as answer:
            async for _ in answer.chunks():
                started.set()

    async with serve(script) as wire:
        reading = asyncio.create_task(consume(wire.url("/hold")))
        await started.wait()
        reading.cancel()
        await asyncio.wait_for(wire.closed.wait(), 0.5)


async def test_closing_the_client_ends_an_open_stream_with_a_plain_error(egress: Egress) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b"first"))
        await asyncio.sleep(60)

    async with serve(script) as wire, egress.open("GET", wire.url("/hold")) as answer:
        pieces = answer.chunks()
        await anext(pieces)
        asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(egress.aclose()))
        with pytest.raises(EgressFailed):
            await anext(pieces)


async def test_closing_the_client_ends_a_call_that_waits_for_its_headers(egress: Egress) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(egress.aclose()))
        await asyncio.sleep(60)

    async with serve(script) as wire:
        with pytest.raises(EgressFailed):
            async with egress.open("GET", wire.url("/hold")):
                pytest.fail("an answer came from nowhere")


async def test_silence_longer_than_the_read_timeout_ends_the_stream(egress: Egress) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b"first"))
        await asyncio.sleep(60)

    async with serve(script) as wire, egress.open("GET", wire.url("/hold"), timeout=Timeout(read=0.1)) as answer:
        pieces = answer.chunks()
        await anext(pieces)
        with pytest.raises(EgressTimeout, match=r"^127\.0\.0\.1 did not answer in time") as caught:
            await anext(pieces)
        assert caught.value.retryable


async def test_pieces_that_keep_coming_and_a_slow_reader_are_no_silence(egress: Egress) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        for _ in range(8):
            writer.write(chunk(b"x"))
            await asyncio.sleep(0.06)
        writer.write(chunk(b""))

    async with serve(script) as wire:
        async with egress.open("GET", wire.url(), timeout=Timeout(read=0.15)) as answer:
            assert await answer.read() == b"x" * 8
        async with egress.open("GET", wire.url(), timeout=Timeout(read=0.15)) as answer:
            pieces = answer.chunks()
            seen = await anext(pieces)
            await asyncio.sleep(0.7)
            assert seen + b"".join([piece async for piece in pieces]) == b"x" * 8


@pytest.mark.parametrize("patience", [Timeout(read=0.1), Timeout(total=0.1)])
async def test_no_headers_in_time_is_a_timeout(egress: Egress, patience: Timeout) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with serve(script) as wire:
        with pytest.raises(EgressTimeout):
            async with egress.open("GET", wire.url("/hold"), timeout=patience):
                pytest.fail("an answer came from nowhere")


async def test_the_total_time_bounds_a_stream_that_never_falls_silent(egress: Egress) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        while True:
            writer.write(chunk(b"x"))
            await asyncio.sleep(0.02)

    async with serve(script) as wire, egress.open("GET", wire.url("/hold"), timeout=Timeout(total=0.3)) as answer:
        with pytest.raises(EgressTimeout):
            await answer.read()


async def test_a_body_above_the_limit_is_refused_and_its_socket_closed(egress: Egress) -> None:
    async with serve(echo) as wire:
        async with egress.open("POST", wire.url(), data=b"x" * 1000) as answer:
            assert len(await answer.read(limit=1000)) == 1000
        async with egress.open("POST", wire.url(), data=b"x" * 1001) as answer:
            with pytest.raises(EgressTooLarge, match="larger than 1000 bytes") as caught:
                await answer.read(limit=1000)
        assert not caught.value.retryable


async def test_a_compressed_bomb_stops_at_the_limit_of_its_decoded_size(egress: Egress) -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), compresslevel=9)

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(bomb, Content_Encoding="gzip"))

    async with serve(script) as wire:
        async with egress.open("GET", wire.url()) as answer:
            largest = 0
            with pytest.raises(EgressTooLarge):
                await answer.read(limit=1024 * 1024)
        async with egress.open("GET", wire.url()) as answer:
            async for piece in answer.chunks():
                largest = max(largest, len(piece))
                if largest > 2 * 1024 * 1024:
                    break
        assert 0 < largest <= 2 * 1024 * 1024


async def test_a_slow_reader_holds_the_sender_back(egress: Egress) -> None:
    sent = 0

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(CHUNKED)
        while True:
            writer.write(chunk(b"x" * 65536))
            await writer.drain()
            sent += 65536

    async with serve(script) as wire, egress.open("GET", wire.url("/hold")) as answer:
        pieces = answer.chunks()
        await anext(pieces)
        await asyncio.sleep(0.3)
        before = sent
        await asyncio.sleep(0.3)
        assert sent == before < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "raw",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        CHUNKED + b"zz\r\nbroken\r\n",
        CHUNKED + chunk(b"cut off"),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nJUNK",
        b"",
    ],
)
async def test_broken_answers_are_one_plain_error(egress: Egress, raw: bytes) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    async with serve(script) as wire:
        with pytest.raises(EgressFailed, match=r"^127\.0\.0\.1 "):
            async with egress.open("GET", wire.url()) as answer:
                await answer.read()


async def test_a_refused_connection_may_be_tried_again_and_an_unknown_name_not(egress: Egress) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(EgressFailed) as caught:
            async with egress.open("GET", f"http://127.0.0.1:{unused.getsockname()[1]}/"):
                pytest.fail("nobody listens there")
    assert caught.value.retryable
    with pytest.raises(EgressFailed, match=r"nobody\.invalid could not be resolved") as caught:
        async with egress.open("GET", "http://nobody.invalid/"):
            pytest.fail("the name resolved")
    assert not caught.value.retryable


async def test_errors_hold_no_header_query_or_body(egress: Egress) -> None:
    secret = "s3cr3t-value"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/?key={secret}"
        for bad in (url, f"http://user:{secret}@127.0.0.1/", f"gopher://{secret}/", f"http://127.0.0.1/?k={secret}#{secret}"):
            exchange = None
            try:
                exchange = egress.open("POST", bad, headers={"Authorization": secret, "X-Api-Key": secret}, data=secret)
                async with exchange:
                    pytest.fail("nobody listens there")
            except (EgressFailed, EgressRefused) as error:
                assert secret not in "".join(traceback.format_exception(error)) + repr(error) + repr(exchange)
    async with serve(echo) as wire:
        with pytest.raises(EgressRefused) as refused:
            async with egress.open("GET", wire.url(), headers={"Authorization": f"{secret}\r\nX-Evil: 1"}):
                pytest.fail("a header was split")
        assert wire.requests == []
    assert secret not in "".join(traceback.format_exception(refused.value))


async def test_framing_headers_of_the_caller_are_the_clients_own_business(egress: Egress) -> None:
    smuggled = {
        "Content-Length": "1",
        "transfer-encoding": "chunked",
        "Host": "inside.test",
        "Connection": "close",
        "X-Own": "y",
    }
    async with serve(echo) as wire, egress.open("POST", wire.url(), headers=smuggled, data=b"four") as answer:
        assert await answer.read() == b"four"
    seen = wire.requests[0].headers
    assert (seen["content-length"], seen["host"], seen["x-own"]) == ("4", f"127.0.0.1:{wire.port}", "y")
    assert "transfer-encoding" not in seen and "connection" not in seen


async def test_a_thousand_streams_can_be_open_at_once(egress: Egress) -> None:
    go, all_in = asyncio.Event(), asyncio.Event()

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(wire.requests) == 1000:
            all_in.set()
        writer.write(CHUNKED)
        await go.wait()
        writer.write(chunk(b"done") + chunk(b""))

    async def one(url: str) -> bytes:
        async with egress.open("GET", url) as answer:
            return await answer.read()

    async with serve(script) as wire:
        reading = [asyncio.create_task(one(wire.url())) for _ in range(1000)]
        await asyncio.wait_for(all_in.wait(), 10)
        go.set()
        assert await asyncio.gather(*reading) == [b"done"] * 1000


def test_each_event_loop_gets_its_own_session() -> None:
    client = Egress(AddressPolicy(["127.0.0.1"]))

    async def once() -> bytes:
        async with serve(echo) as wire, client.open("POST", wire.url(), data=b"x") as answer:
            body = await answer.read()
        await client.aclose()
        return body

    assert [asyncio.run(once()) for _ in range(2)] == [b"x", b"x"]


async def test_certificates_are_checked_unless_the_caller_says_otherwise(egress: Egress, tmp_path: Path) -> None:
    async with serve(echo, tls=self_signed(tmp_path)) as wire:
        with pytest.raises(EgressFailed, match="No secure connection") as caught:
            async with egress.open("POST", wire.url(scheme="https"), data=b"x"):
                pytest.fail("a self-signed certificate was taken")
        assert not caught.value.retryable
        async with egress.open("POST", wire.url(scheme="https"), data=b"x", verify_tls=False) as answer:
            assert await answer.read() == b"x"
        with pytest.raises(EgressFailed):
            async with egress.open("POST", wire.url(scheme="https"), data=b"x"):
                pytest.fail("the unchecked connection was reused")
