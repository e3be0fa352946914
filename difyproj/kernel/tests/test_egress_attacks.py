"""Attacks on the egress client: reaching inside (D1), and carrying a credential to another host (D2)."""

from __future__ import annotations

import _socket
import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from difyproj.kernel.addresses import is_public
from difyproj.kernel.http import AddressPolicy, Egress, EgressFailed, EgressRefused, EgressTimeout, Timeout

from .wire import Request, Script, reply, self_signed, serve

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "168.63.129.16",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1",
    "2001:db8::1", "3fff::1", "100::1", "5f00::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700::1111"]

Names = dict[str, list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A name server of the test's own: each look-up of a name answers with all its addresses; numbers mean themselves."""
    table: Names = {}

    def look_up(host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
        host = host.rstrip(".").lower()
        if host not in table:
            return list(_socket.getaddrinfo(host, port, family, type, proto, _socket.AI_NUMERICHOST))
        return [found for address in table[host] for found in _socket.getaddrinfo(address, port, 0, type, proto)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return table


@pytest.fixture
async def opener() -> AsyncIterator[Callable[..., Egress]]:
    """Makes clients with the given allow-list and closes them in the end."""
    made: list[Egress] = []

    def make(*allow: str) -> Egress:
        made.append(Egress(AddressPolicy(allow)))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


async def greet(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(b"hello"))


async def fetch(client: Egress, url: str, **options: Any) -> bytes:
    async with client.open("GET", url, **options) as answer:
        return await answer.read()


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    assert not AddressPolicy().permits("example.com", address, 443)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert AddressPolicy().permits("example.com", address, 443)


@given(address=st.ip_addresses())
def test_nothing_that_python_calls_special_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    special = (
        address.is_private or address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    )
    if (special or address.is_reserved) and getattr(address, "ipv4_mapped", None) is None:
        assert not is_public(address) or address in ipaddress.ip_network("64:ff9b::/96")


@given(inner=st.ip_addresses(v=4))
def test_an_embedded_address_is_never_more_public_than_itself(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    forms = [0xFFFF << 32 | number, number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80]
    forms.append(0x20010000 << 96 | 0x41014101 << 64 | (number ^ 0xFFFFFFFF))
    for form in forms:
        assert not is_public(ipaddress.IPv6Address(form)) or is_public(inner)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "LOCALHOST.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
        "017700000001", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]",
        "[::127.0.0.1]", "[64:ff9b::7f00:1]", "①②⑦.⓪.⓪.①", "127。0。0。1", "inside.test", "169.254.169.254", "[fd00:ec2::254]",
    ],
)  # fmt: skip
async def test_every_way_to_write_this_machine_is_refused(host: str, names: Names, opener: Callable[..., Egress]) -> None:
    names.update({"localhost": ["127.0.0.1", "::1"], "inside.test": ["127.0.0.1"]})
    async with serve(greet) as wire:
        with pytest.raises(EgressRefused, match="may connect to"):
            await fetch(opener(), f"http://{host}:{wire.port}/")
        assert wire.connections == 0


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_resolves_inside_is_refused(address: str, names: Names, opener: Callable[..., Egress]) -> None:
    names["evil.test"] = [address]
    with pytest.raises(EgressRefused):
        await fetch(opener(), "https://evil.test/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "ftp://example.com/", "unix:/run/docker.sock", "//example.com/x",
        "/x", "", "http+unix://x", "ws://example.com/", "data:text/plain,x", "http://", "http:///x", "http://:80/",
        "http://a b/", "http://[::1/", "http://example.com:99999/", "http://user@example.com/", "http://user:pw@example.com/", "http://:pw@example.com/",
        "http://example.com:0/", "http://%31%32%37.0.0.1/", "http://exam\nple.com/", "http://127.0.0.1%00.example.com/",
    ],
)  # fmt: skip
async def test_only_plain_web_urls_are_taken(url: str, names: Names, opener: Callable[..., Egress]) -> None:
    with pytest.raises((EgressRefused, EgressFailed)):
        await fetch(opener(), url)


async def test_a_name_that_is_rebound_between_two_calls_is_refused(names: Names, opener: Callable[..., Egress]) -> None:
    async with serve(greet, host="127.0.0.2") as wire:
        names["rebind.test"] = ["127.0.0.2"]
        assert await fetch(opener("127.0.0.2"), wire.url(host="rebind.test")) == b"hello"
        names["rebind.test"] = ["127.0.0.1"]
        with pytest.raises(EgressRefused):
            await fetch(opener("127.0.0.2"), wire.url(host="rebind.test"))


async def test_of_several_addresses_only_a_permitted_one_is_used(names: Names, opener: Callable[..., Egress]) -> None:
    async with serve(greet, host="127.0.0.2") as wire:
        names["mixed.test"] = ["127.0.0.1", "127.0.0.2", "::1"]
        assert await fetch(opener("127.0.0.2"), wire.url(host="mixed.test")) == b"hello"
        assert wire.connections == 1
        names["inside.test"] = ["10.0.0.1", "127.0.0.1", "::1"]
        with pytest.raises(EgressRefused):
            await fetch(opener("127.0.0.2"), wire.url(host="inside.test"))


async def test_an_allowed_name_opens_no_other_name_at_the_same_address(names: Names, opener: Callable[..., Egress]) -> None:
    names.update({"ollama.test": ["127.0.0.1"], "evil.test": ["127.0.0.1"]})
    async with serve(greet) as wire, serve(greet) as other:
        client = opener(f"Ollama.test:{wire.port}")
        assert await fetch(client, wire.url(host="OLLAMA.test.")) == b"hello"
        for url in (wire.url(host="evil.test"), wire.url(), other.url(host="ollama.test")):
            with pytest.raises(EgressRefused):
                await fetch(client, url, headers={"Host": "ollama.test"})
        assert (wire.connections, other.connections) == (1, 0)


async def test_calls_at_the_same_time_keep_their_own_hosts(names: Names, opener: Callable[..., Egress]) -> None:
    names.update({"good.test": ["127.0.0.1"], "evil.test": ["127.0.0.1"]})
    async with serve(greet) as wire:
        client = opener("good.test")
        hosts = ["good.test", "evil.test"] * 20
        results = await asyncio.gather(*(fetch(client, wire.url(host=host)) for host in hosts), return_exceptions=True)
    for host, result in zip(hosts, results, strict=True):
        assert result == b"hello" if host == "good.test" else isinstance(result, EgressRefused)


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "permitted"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", 80, True),
        ("127.0.0.1", "any.test", "127.0.0.1", 80, True),
        ("127.0.0.1", "any.test", "::ffff:127.0.0.1", 80, True),
        ("127.0.0.1:8080", "any.test", "127.0.0.1", 8081, False),
        ("10.0.0.0/8", "a", "10.9.9.9", 1, True),
        ("10.0.0.0/8", "a", "11.0.0.1", 1, True),
        ("10.0.0.0/8:443", "a", "10.9.9.9", 443, True),
        ("10.0.0.0/8:443", "a", "10.9.9.9", 80, False),
        ("10.0.0.0/8", "a", "192.168.0.1", 1, False),
        ("::1", "a", "::1", 80, True),
        ("[::1]:80", "a", "::1", 80, True),
        ("[::1]:80", "a", "::1", 81, False),
        ("fd00::/8", "a", "fd12::1", 80, True),
        ("[fd00::/8]:80", "a", "fd12::1", 81, False),
        ("fe80::/10", "a", "fe80::1%eth0", 81, True),
        ("ollama", "ollama", "127.0.0.1", 11434, True),
        ("ollama", "ollama.evil.test", "127.0.0.1", 11434, False),
        ("ollama:11434", "ollama", "127.0.0.1", 80, False),
        ("bücher.test", "xn--bcher-kva.test", "10.0.0.1", 80, True),
        ("", "", "127.0.0.1", 80, False),
    ],
)
def test_the_allow_list_opens_what_it_says_and_no_more(entry: str, host: str, address: str, port: int, permitted: bool) -> None:
    assert AddressPolicy([entry]).permits(host, address, port) is permitted


@pytest.mark.parametrize(
    "entry", ["http://ollama", "ollama:", "ollama:x", "ollama:0", "a/b", "10.0.0.0/33", "*.test", ":80", "a b"]
)
def test_an_allow_list_entry_that_means_nothing_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="Not a host"):
        AddressPolicy([entry])


def redirecting(location: str, status: str = "302 Found") -> Script:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"", status, Location=location) if request.target.startswith("/from") else reply(b"hello"))

    return script


async def test_a_redirect_inside_is_refused(opener: Callable[..., Egress]) -> None:
    async with serve(greet) as inside:
        for target in (
            inside.url(),
            f"http://localhost:{inside.port}/",
            f"//127.0.0.1:{inside.port}/",
            "http://169.254.169.254/",
        ):
            async with serve(redirecting(target)) as wire:
                with pytest.raises(EgressRefused):
                    await fetch(opener(f"127.0.0.1:{wire.port}"), wire.url("/from"), max_redirects=5)
        assert inside.connections == 0


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://u:p@127.0.0.1/", "http://[::1/", "http://127.0.0.1:99999/"])
async def test_a_redirect_to_no_plain_web_url_is_refused(location: str, opener: Callable[..., Egress]) -> None:
    async with serve(redirecting(location)) as wire:
        with pytest.raises(EgressRefused):
            await fetch(opener("127.0.0.1"), wire.url("/from"), max_redirects=5)


async def test_redirects_are_answers_until_the_caller_asks_to_follow_them(opener: Callable[..., Egress]) -> None:
    async with serve(redirecting("/to?x=1")) as wire:
        client = opener("127.0.0.1")
        async with client.open("GET", wire.url("/from"), params={"q": "1"}) as answer:
            assert (answer.status, answer.headers["location"]) == (302, "/to?x=1")
        headers = {"Authorization": "Bearer x", "X-Own": "y"}
        async with client.open("GET", wire.url("/from"), params={}, headers=headers, max_redirects=1) as answer:
            assert (answer.url, await answer.read()) == (wire.url("/to?x=1"), b"hello")
        assert wire.requests[-1].headers["authorization"] == "Bearer x"


async def test_a_ring_of_redirects_ends(opener: Callable[..., Egress]) -> None:
    async with serve(redirecting("/from")) as wire:
        with pytest.raises(EgressFailed, match="more than 3 times"):
            await fetch(opener("127.0.0.1"), wire.url("/from"), max_redirects=3)
        assert len(wire.requests) == 4


async def test_the_total_time_counts_all_hops_together(opener: Callable[..., Egress]) -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(reply(b"", "302 Found", Location="/from"))

    async with serve(slow) as wire:
        with pytest.raises(EgressTimeout):
            await fetch(opener("127.0.0.1"), wire.url("/from"), max_redirects=50, timeout=Timeout(total=0.4))
        assert len(wire.requests) <= 4


async def test_a_redirect_from_https_to_http_is_refused(opener: Callable[..., Egress], tmp_path: Path) -> None:
    async with serve(greet) as plain, serve(redirecting(plain.url()), tls=self_signed(tmp_path)) as wire:
        with pytest.raises(EgressRefused, match="from https to http"):
            await fetch(opener("127.0.0.1"), wire.url("/from", scheme="https"), max_redirects=1, verify_tls=False)
        assert plain.connections == 0


SECRETS = {
    "Authorization": "Bearer s3cr3t",
    "Proxy-Authorization": "s3cr3t",
    "X-Api-Key": "s3cr3t",
    "api-key": "s3cr3t",
    "X-Goog-Api-Key": "s3cr3t",
    "Cookie": "session=s3cr3t",
    "X-Auth-Token": "s3cr3t",
    "X-Amz-Security-Token": "s3cr3t",
    "X-Anything": "s3cr3t",
}


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_credentials_stay_with_their_origin(status: str, names: Names, opener: Callable[..., Egress]) -> None:
    names["other.test"] = ["127.0.0.1"]
    async with serve(greet) as other:
        for target in (other.url("/to"), other.url("/to", host="other.test")):
            async with serve(redirecting(target, status)) as wire:
                client = opener("127.0.0.1", "other.test")
                headers = {**SECRETS, "Accept": "text/x", "X-Own": "kept"}
                url = wire.url("/from?api_key=s3cr3t")
                assert await fetch(client, url, headers=headers, secret_headers=["x-anything"], max_redirects=1) == b"hello"
                assert "s3cr3t" in repr(wire.requests)
    assert len(other.requests) == 2
    for request in other.requests:
        assert "s3cr3t" not in repr(request)
        assert (request.headers["accept"], request.headers["x-own"]) == ("text/x", "kept")


@pytest.mark.parametrize(("status", "sent"), [("302 Found", False), ("303 See Other", False), ("307 T", True), ("308 P", True)])
async def test_a_body_never_goes_to_another_host(status: str, sent: bool, names: Names, opener: Callable[..., Egress]) -> None:
    names["other.test"] = ["127.0.0.1"]
    client = opener("127.0.0.1", "other.test")

    async def post(url: str) -> bytes:
        async with client.open("POST", url, json={"client_secret": "s3cr3t"}, max_redirects=1) as answer:
            return await answer.read()

    async with serve(greet) as other:
        async with serve(redirecting(other.url("/to", host="other.test"), status)) as wire:
            if sent:
                with pytest.raises(EgressRefused, match="body to another host"):
                    await post(wire.url("/from"))
            else:
                await post(wire.url("/from"))
                assert (other.requests[0].method, other.requests[0].body) == ("GET", b"")
                assert "content-type" not in other.requests[0].headers
        assert "s3cr3t" not in repr(other.requests)
    async with serve(redirecting("/to", status)) as wire:
        await post(wire.url("/from"))
        assert (wire.requests[1].body == b'{"client_secret":"s3cr3t"}') is sent


async def test_a_streamed_upload_is_not_repeated(opener: Callable[..., Egress]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"once"

    async with serve(redirecting("/to", "307 Temporary")) as wire:
        with pytest.raises(EgressRefused, match="streamed upload"):
            async with opener("127.0.0.1").open("POST", wire.url("/from"), data=pieces(), max_redirects=1):
                pytest.fail("the upload was repeated")


async def test_no_proxy_or_netrc_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, opener: Callable[..., Egress]
) -> None:
    async with serve(greet) as wire, serve(greet) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url())
        assert await fetch(opener("127.0.0.1"), wire.url()) == b"hello"
        assert proxy.connections == 0
