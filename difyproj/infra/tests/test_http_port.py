"""Requests of graphs over a real socket: what goes out, where credentials stay, and how far an answer is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from difyproj.infra.http_port import GuardedHttp
from difyproj.kernel.errors import DomainError
from difyproj.kernel.http import AddressPolicy, Egress, EgressFailed, EgressRefused, EgressTimeout, EgressTooLarge
from difyproj.kernel.tests.wire import Request, chunk, reply, self_signed, serve
from workflows.engine.ports import HttpCall


@pytest.fixture
async def port() -> AsyncIterator[GuardedHttp]:
    client = Egress(AddressPolicy(["127.0.0.1"]))
    yield GuardedHttp(client)
    await client.aclose()


async def greet(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(b"hello", X_One="1"))


async def test_a_call_goes_out_as_it_is_stated(port: GuardedHttp) -> None:
    async with serve(greet) as wire:
        call = HttpCall(
            "POST", wire.url("/a?x=1"), params=[("q", "a b"), ("q", "ü")], headers=[("X-A", "1"), ("X-A", "2")], body=b"\x00raw"
        )
        answer = await port.send(call)
    (request,) = wire.requests
    assert (request.method, request.target) == ("POST", "/a?x=1&q=a+b&q=%C3%BC")
    assert request.body == b"\x00raw"
    assert (answer.status, answer.body) == (200, b"hello")
    assert ("X-One", "1") in answer.headers


async def test_a_head_has_no_body_and_an_error_is_an_answer(port: GuardedHttp) -> None:
    async def refuse(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n" + (b"" if request.method == "HEAD" else b"gone!"))

    async with serve(refuse) as wire:
        head = await port.send(HttpCall("HEAD", wire.url()))
        options = await port.send(HttpCall("OPTIONS", wire.url()))
    assert (head.status, head.body) == (404, b"")
    assert (options.status, options.body) == (404, b"gone!")


async def test_redirects_are_followed_and_credentials_stay_with_their_origin(port: GuardedHttp) -> None:
    async with serve(greet) as elsewhere:

        async def redirect(request: Request, writer: asyncio.StreamWriter) -> None:
            target = "/end" if request.target == "/start" else elsewhere.url("/other")
            writer.write(reply(b"", "302 Found", Location=target))

        async with serve(redirect) as wire:
            call = HttpCall(
                "GET",
                wire.url("/start"),
                headers=[("Authorization", "Bearer k"), ("X-Own", "k"), ("X-Api-Key", "k"), ("X-Plain", "p")],
                secret=["X-Own"],
            )
            answer = await port.send(call)
    assert answer.body == b"hello"
    assert wire.requests[1].headers["x-own"] == "k"
    (last,) = elsewhere.requests
    assert last.headers["x-plain"] == "p"
    assert not {"authorization", "x-own", "x-api-key"} & set(last.headers)


async def test_a_redirect_inside_is_refused() -> None:
    async def inside(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"", "302 Found", Location="http://169.254.169.254/latest/meta-data"))

    async with serve(inside) as wire:
        client = Egress(AddressPolicy([f"127.0.0.1:{wire.port}"]))
        with pytest.raises(EgressRefused):
            await GuardedHttp(client).send(HttpCall("GET", wire.url()))
        await client.aclose()


async def test_without_leave_this_machine_is_not_reached() -> None:
    async with serve(greet) as wire:
        client = Egress(AddressPolicy([]))
        with pytest.raises(EgressRefused) as refusal:
            await GuardedHttp(client).send(HttpCall("GET", wire.url("/?key=s3cret"), headers=[("X-Key", "s3cret")]))
        await client.aclose()
    assert wire.connections == 0
    assert "s3cret" not in str(refusal.value)


async def test_an_answer_is_read_no_further_than_its_limit(port: GuardedHttp) -> None:
    sent = 0

    async def flood(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(chunk(b"x" * 65536))
            sent += 65536
            await writer.drain()

    async with serve(flood) as wire:
        with pytest.raises(EgressTooLarge):
            await port.send(HttpCall("GET", wire.url(), limit=1024 * 1024))
    assert sent < 16 * 1024 * 1024


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
async def test_a_server_that_falls_silent_is_left(port: GuardedHttp, first: bytes) -> None:
    async def stall(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.sleep(30)

    async with serve(stall) as wire:
        with pytest.raises(EgressTimeout):
            await asyncio.wait_for(port.send(HttpCall("GET", wire.url("/hold"), timeout=(1, 0.2, 1))), 5)


async def test_a_server_that_drips_is_left_when_its_time_is_over(port: GuardedHttp) -> None:
    async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(chunk(b"x"))
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serve(drip) as wire:
        with pytest.raises(EgressTimeout):
            await asyncio.wait_for(port.send(HttpCall("GET", wire.url("/hold"), timeout=(0.2, 0.3, 0.1))), 5)


async def test_a_certificate_is_checked_unless_the_graph_says_otherwise(port: GuardedHttp, tmp_path: Path) -> None:
    async with serve(greet, tls=self_signed(tmp_path)) as wire:
        with pytest.raises(EgressFailed):
            await port.send(HttpCall("GET", wire.url(scheme="https")))
        answer = await port.send(HttpCall("GET", wire.url(scheme="https"), verify_tls=False))
    assert answer.body == b"hello"


@pytest.mark.parametrize(
    "call",
    [
        HttpCall("GET", "http://127.0.0.1:1/", headers=[("X-A", "a\r\nX-B: s3cret")]),
        HttpCall("GET", "http://127.0.0.1:1/\udcff"),
        HttpCall("GET", "http://127.0.0.1:1/", params=[("a", "\ud800s3cret")]),
        HttpCall("GET", "http://[::1", params=[("a", "s3cret")]),
        HttpCall("GET", "http://user:s3cret@127.0.0.1:1/"),
        HttpCall("GET", "http://127.0.0.1:99999/?s3cret"),
        HttpCall("GET", "http://127.0.0.1:1/?s3cret"),
    ],
)
async def test_a_call_that_cannot_be_made_fails_in_words_without_secrets(port: GuardedHttp, call: HttpCall) -> None:
    with pytest.raises(DomainError) as refusal:
        await port.send(call)
    assert "s3cret" not in str(refusal.value)
    assert "s3cret" not in repr(call)
