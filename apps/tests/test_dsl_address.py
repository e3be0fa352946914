"""App files that lie elsewhere are fetched through the egress client, in full and within limits, or the import says why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from apps.models import App
from apps.services.dsl import sources
from difyproj.kernel.tests.wire import Request, Script, reply, serve

from .console_crew import Crew
from .dsl_files import text_of

FILE = text_of("old_workflow.yml").encode()


def script(answer: Callable[[Request], bytes]) -> Script:
    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(request))

    return talk


async def imported(crew: Crew, url: str) -> tuple[int, str, str]:
    answer = await crew.bob.post("/apps/imports", {"mode": "yaml-url", "yaml_url": url})
    body = answer.json()
    return answer.status, body["status"], body["error"]


@pytest.mark.parametrize(
    ("shown", "raw"),
    [
        ("https://github.com/acme/apps/blob/main/a/b.yml", "https://raw.githubusercontent.com/acme/apps/main/a/b.yml"),
        ("https://github.com/acme/apps/blob/v1/b.yaml?plain=1#L3", "https://raw.githubusercontent.com/acme/apps/v1/b.yaml"),
        (" https://github.com/acme/apps/blob/main/b.yml\n", "https://raw.githubusercontent.com/acme/apps/main/b.yml"),
        (
            "https://github.com/acme/apps/blob/main/%E6%A0%87.yml",
            "https://raw.githubusercontent.com/acme/apps/main/%E6%A0%87.yml",
        ),
        ("https://github.com/user-attachments/files/1/b.yml", None),
        ("https://github.com/acme/apps/blob/main/readme.md", None),
        ("https://github.com.evil.example/acme/apps/blob/main/b.yml", None),
        ("https://evil.example/?https://github.com/acme/apps/blob/main/b.yml", None),
        ("http://127.0.0.1/blob/b.yml", None),
    ],
)
def test_a_page_of_github_is_read_as_its_file_and_nothing_else_is(shown: str, raw: str | None) -> None:
    assert sources.raw_address(shown) == (raw or shown)


async def test_a_file_elsewhere_becomes_an_app(crew: Crew) -> None:
    async with serve(script(lambda _: reply(FILE, Content_Type="text/yaml"))) as wire:
        assert await imported(crew, wire.url("/old.yml")) == (200, "completed-with-warnings", "")
    assert await App.objects.filter(name="Old parchment", mode="workflow").acount() == 1


async def test_a_redirect_is_followed(crew: Crew) -> None:
    def answer(request: Request) -> bytes:
        return reply(FILE) if request.target == "/there" else reply(status="302 Found", Location="/there")

    async with serve(script(answer)) as wire:
        assert (await imported(crew, wire.url("/here")))[0] == 200


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (reply(b"no", "404 Not Found"), "the server answered with 404"),
        (reply(b"  \n"), "Empty content from url"),
        (reply(b"x" * (10 * 1024 * 1024 + 1)), "File size exceeds the limit of 10MB"),
        (reply(b"\xff\xfe"), "not UTF-8"),
        (reply(b"<html>"), "content must be a mapping"),
        (b"nonsense\r\n\r\n", "Error fetching YAML from URL"),
    ],
)
async def test_what_is_no_file_of_an_app_says_why(crew: Crew, whole: bytes, told: str) -> None:
    async with serve(script(lambda _: whole)) as wire:
        status, outcome, error = await imported(crew, wire.url())
    assert (status, outcome) == (400, "failed")
    assert told in error


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "x", "http://", "http://user:secret@127.0.0.1/x"])
async def test_what_is_no_address_is_refused(crew: Crew, url: str) -> None:
    status, outcome, error = await imported(crew, url)
    assert (status, outcome) == (400, "failed")
    assert "Error fetching YAML from URL" in error and "secret" not in error
