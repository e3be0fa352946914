"""Files that lie elsewhere: what is told of them, what is taken in, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest
from django.test.utils import override_settings

from apps.models import UploadFile
from apps.services import remote_files
from difyproj.infra.storage import get_storage
from difyproj.kernel.errors import DomainError, FileExtensionBlocked, FileTooLarge
from difyproj.kernel.http import AddressPolicy, Egress, EgressRefused
from difyproj.kernel.principal import ActorKind, Principal, Tier
from difyproj.kernel.tests.wire import Request, Script, reply, serve
from difyproj.testing.cast import Cast, Person

from .test_file_upload import PNG


def as_account(person: Person) -> Principal:
    return Principal(person.tenant.pk, ActorKind.ACCOUNT, person.account.pk, Tier.CONSOLE)


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Egress]:
    """May reach this machine by its number, and nothing else inside."""
    made = Egress(AddressPolicy(["127.0.0.1"]))
    monkeypatch.setattr(remote_files, "egress", lambda: made)
    yield made
    await made.aclose()


def script(answer: Callable[[Request], bytes]) -> Script:
    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        whole = answer(request)
        head, _, body = whole.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n" + (b"" if request.method == "HEAD" else body))

    return talk


async def test_type_and_length_are_told_without_fetching(client: Egress) -> None:
    async with serve(script(lambda _: reply(PNG, Content_Type="image/png; charset=x"))) as wire:
        assert await remote_files.info(wire.url("/cat.png")) == remote_files.RemoteFile("image/png", len(PNG))
    assert [request.method for request in wire.requests] == ["HEAD"]


async def test_a_server_without_head_is_asked_for_one_byte(client: Egress) -> None:
    def answer(request: Request) -> bytes:
        if request.method == "HEAD":
            return reply(status="405 Method Not Allowed")
        return reply(b"x", "206 Partial Content", Content_Type="text/csv", Content_Range="bytes 0-0/1234")

    async with serve(script(answer)) as wire:
        assert await remote_files.info(wire.url()) == remote_files.RemoteFile("text/csv", 1234)
    assert wire.requests[1].headers["range"] == "bytes=0-0"


@pytest.mark.parametrize("header", ["", "text", "text/html\u00e9", "x" * 300])
async def test_a_type_that_is_none_is_unknown(client: Egress, header: str) -> None:
    async with serve(script(lambda _: reply(b"x", Content_Type=header))) as wire:
        assert (await remote_files.info(wire.url())).file_type == "application/octet-stream"


async def test_a_file_is_taken_in_as_an_upload(client: Egress, cast: Cast) -> None:
    async with serve(script(lambda _: reply(PNG, Content_Type="image/jpeg"))) as wire:
        row = await remote_files.fetch(wire.url("/pictures/my%20cat.png?size=2"), owner=as_account(cast.alice))
    kept = await UploadFile.objects.aget()
    assert kept == row
    assert (kept.name, kept.mime_type, kept.size, kept.extension) == ("my cat.png", "image/png", len(PNG), "png")
    assert (kept.tenant_id, kept.account_id, kept.created_by_role) == (cast.alice.tenant.pk, cast.alice.account.pk, "account")
    assert get_storage().read(kept.key) == PNG


@pytest.mark.parametrize(
    ("path", "disposition", "name"),
    [
        ("/a.png", 'attachment; filename="b.png"', "b.png"),
        ("/a.png", "attachment; filename*=UTF-8''gr%C3%BC%C3%9Fe.png", "grüße.png"),
        ("/a.png", 'attachment; filename="../../etc/passwd"', "passwd.png"),
        ("/a.png", 'attachment; filename="..\\..\\x.png"', "x.png"),
        ("/a.png", 'attachment; filename=".."', "a.png"),
        ("/a.png", "attachment; filename*=nonsense''%ff%fe.png", "ÿþ.png"),
        ("/..%2f..%2fetc%2fpasswd", "", "passwd.png"),
        ("/a%00b.png", "", "ab.png"),
        ("/", "", "file.png"),
        ("/what", "", "what.png"),
        ("/q%3F%2A%3A.png", "", "q___.png"),
        ("/" + "x" * 300 + ".png", "", "x" * 196 + ".png"),
    ],
)
async def test_the_name_is_fit_for_us(client: Egress, cast: Cast, path: str, disposition: str, name: str) -> None:
    headers = {"Content_Disposition": disposition} if disposition else {}
    async with serve(script(lambda _: reply(PNG, Content_Type="image/png", **headers))) as wire:
        row = await remote_files.fetch(wire.url(path), owner=as_account(cast.alice))
    assert row.name == name
    assert row.key.startswith(f"upload_files/{cast.alice.tenant.pk}/")


@pytest.mark.parametrize("told", [True, False])
async def test_the_limit_of_its_kind_holds_whatever_the_server_tells(client: Egress, cast: Cast, told: bool) -> None:
    large = bytes(1024 * 1024 + 1)

    def answer(_: Request) -> bytes:
        whole = reply(large, Content_Type="image/png")
        return whole if told else whole.replace(b"Content-Length: %d\r\n" % len(large), b"Connection: close\r\n")

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(request))
        writer.close()

    with override_settings(UPLOAD_IMAGE_FILE_SIZE_LIMIT=1):
        async with serve(talk) as wire:
            with pytest.raises(FileTooLarge):
                await remote_files.fetch(wire.url("/a.png"), owner=as_account(cast.alice))
    assert not await UploadFile.objects.aexists()


async def test_blocked_extensions_are_blocked_here_too(client: Egress, cast: Cast) -> None:
    with override_settings(UPLOAD_FILE_EXTENSION_BLACKLIST=["exe"]):
        async with serve(script(lambda _: reply(b"MZ" + bytes(64), Content_Type="image/png"))) as wire:
            with pytest.raises(FileExtensionBlocked):
                await remote_files.fetch(wire.url("/cat.png"), owner=as_account(cast.alice))


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error", "204 No Content"])
async def test_what_the_other_server_does_not_give_is_a_bad_request(client: Egress, cast: Cast, status: str) -> None:
    async with serve(script(lambda _: reply(status=status))) as wire:
        with pytest.raises(remote_files.RemoteFileRefused) as refused:
            await remote_files.fetch(wire.url("/a.png"), owner=as_account(cast.alice))
        with pytest.raises(DomainError) as unknown:
            await remote_files.info(wire.url("/a.png"))
    assert (refused.value.code, refused.value.status, unknown.value.status) == ("remote_file_upload_error", 400, 400)


NOBODY = UUID(int=1)
ATTACKS = [
    "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://0.0.0.0/", "http://[::1]/", "http://2130706433/",
    "http://0x7f.1/", "http://[::ffff:127.0.0.1]:9/", "http://[::ffff:10.0.0.1]/", "http://192.168.0.1/", "http://100.64.0.1/",
    "http://localhost:1/", "file:///etc/passwd", "gopher://x/", "ftp://example.com/x", "data:text/plain,x", "//example.com",
    "example.com/a.png", "", "http://", "http://user:pass@example.com/", "http://a:99999/", "http://[", "\0", "http://\ud800/",
]  # fmt: skip


@pytest.mark.parametrize("url", ATTACKS)
async def test_no_address_inside_is_reached(house_db: None, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    strict = Egress(AddressPolicy())
    monkeypatch.setattr(remote_files, "egress", lambda: strict)
    nobody = Principal(NOBODY, ActorKind.ACCOUNT, NOBODY, Tier.CONSOLE)
    try:
        for asked in (remote_files.info(url), remote_files.fetch(url, owner=nobody)):
            with pytest.raises(DomainError) as refused:
                await asked
            assert (refused.value.status, refused.value.code) == (400, "invalid_param")
    finally:
        await strict.aclose()
    assert not await UploadFile.objects.aexists()


async def test_a_redirect_inside_is_not_followed(client: Egress, cast: Cast) -> None:
    async with serve(script(lambda _: reply(status="302 Found", Location="http://169.254.169.254/x.png"))) as wire:
        for asked in (remote_files.info(wire.url()), remote_files.fetch(wire.url(), owner=as_account(cast.alice))):
            with pytest.raises(EgressRefused):
                await asked


async def test_redirects_end(client: Egress, cast: Cast) -> None:
    async with serve(script(lambda _: reply(status="302 Found", Location="/again"))) as wire:
        with pytest.raises(DomainError):
            await remote_files.fetch(wire.url(), owner=as_account(cast.alice))
    assert len(wire.requests) == remote_files.REDIRECTS + 1
