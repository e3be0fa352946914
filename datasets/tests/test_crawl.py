"""Crawls of a site on this machine: how far they go, what robots.txt keeps them from, and what has changed since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from datasets.rag import robots
from datasets.rag.crawl import Known, Plan, WebPage, crawl, tidied
from difyproj.infra.web_pages import GuardedWeb
from difyproj.kernel.errors import DomainError, InvalidParam
from difyproj.kernel.http import AddressPolicy, Egress, EgressRefused

MENU = '<nav><a href="/">Home</a></nav>'
PAGES: dict[str, str] = {
    "/": f'{MENU}<title>Home</title><meta name="description" content="About us"><main><h1>Hello</h1><p>Welcome to this site.'
    '<a href="/docs/a#part">A</a><a href="docs/b?x=1">B</a><a href="/private/x">X</a><a href="http://else.example/">E</a>'
    '<a href="mailto:a@example.com">m</a><a href="/old">O</a></main><footer>Imprint</footer>',
    "/docs/a": f'{MENU}<article><h1>A</h1><p>About a, at length.</p><a href="/docs/c">C</a></article>',
    "/docs/b": "<h1>B</h1>" + MENU,
    "/docs/c": '<h1>C</h1><a href="/docs/d">D</a>',
    "/docs/d": "<h1>D</h1>",
    "/private/x": "<h1>Secret</h1>",
}


class Site:
    """Counts what it is asked; its pages and robots.txt can be changed."""

    def __init__(self) -> None:
        self.pages = dict(PAGES)
        self.robots = "User-agent: *\nDisallow: /private\n"
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/robots.txt":
            return web.Response(text=self.robots) if self.robots else web.Response(status=404)
        if request.path == "/old":
            return web.Response(status=301, headers={"Location": "/docs/d"})
        if request.path == "/away":
            return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/"})
        page = self.pages.get(request.path)
        if page is None:
            return web.Response(status=404)
        tag = f'"{abs(hash(page))}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        return web.Response(body=page.encode("gb18030"), headers={"ETag": tag, "Content-Type": "text/html; charset=gb18030"})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    given = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", given.answer)
    server = TestServer(app)
    await server.start_server()
    given.url = str(server.make_url("/"))  # type: ignore[attr-defined]
    yield given
    await server.close()


async def walked(site: Any, known: Mapping[str, Known] | None = None, start: str = "", **plan: Any) -> dict[str, WebPage]:
    client = Egress(AddressPolicy(["127.0.0.1"]))
    guarded = GuardedWeb("ann", client)
    try:
        found = [page async for page in crawl(start or site.url, Plan(**plan), guarded, known)]
    finally:
        await client.aclose()
    return {page.url.removeprefix(site.url): page for page in found}


async def test_a_crawl_reads_the_main_text_of_pages_that_are_linked(site: Site) -> None:
    found = await walked(site, depth=1)
    assert list(found) == ["", "docs/a", "docs/b?x=1", "old"]
    assert (found[""].title, found[""].description, found[""].state) == ("Home", "About us", "new")
    assert "Welcome to this site." in found[""].markdown and "Imprint" not in found[""].markdown
    assert found["docs/a"].markdown == "# A\n\nAbout a, at length.\n\nC"
    assert "/private/x" not in site.asked


@pytest.mark.parametrize(
    ("plan", "paths"),
    [
        ({"depth": 0}, [""]),
        ({"depth": 2, "limit": 3}, ["", "docs/a", "docs/b?x=1"]),
        ({"depth": 9}, ["", "docs/a", "docs/b?x=1", "old", "docs/c"]),
        ({"depth": 9, "include": robots.patterns("docs/*")}, ["", "docs/a", "docs/b?x=1", "docs/c", "docs/d"]),
        ({"depth": 9, "exclude": robots.patterns(["*b", "/old", "docs/d$"])}, ["", "docs/a", "docs/c"]),
    ],
)
async def test_a_crawl_goes_as_far_as_it_is_told(site: Site, plan: dict[str, Any], paths: list[str]) -> None:
    assert list(await walked(site, **plan)) == paths


async def test_a_second_crawl_tells_what_changed(site: Site) -> None:
    first = await walked(site, depth=1)
    known = {page.url: page.known for page in first.values() if page.known}
    site.pages["/docs/a"] = "<h1>Another</h1>"
    # The same text in another dress.
    site.pages["/docs/b"] += "<script>1</script>"
    del site.pages["/docs/d"]
    second = await walked(site, known, depth=1)
    assert {path: page.state for path, page in second.items()} == {
        "": "unchanged", "docs/a": "changed", "docs/b?x=1": "unchanged", "old": "gone",
    }  # fmt: skip
    assert second["docs/a"].markdown == "# Another" and not second[""].markdown


async def test_robots_that_cannot_be_asked_allow_nothing_and_missing_ones_all(site: Site) -> None:
    site.robots = ""
    assert "private/x" in await walked(site)
    site.robots = "User-agent: difyproj\nDisallow: /\n\nUser-agent: *\nAllow: /"
    with pytest.raises(InvalidParam, match=r"robots\.txt"):
        await walked(site)


@pytest.mark.parametrize("robots_say", ["noindex", "nofollow"])
async def test_a_page_says_what_robots_may_do(site: Site, robots_say: str) -> None:
    site.pages["/"] += f'<meta name="robots" content="{robots_say}">'
    found = await walked(site)
    assert ("" in found, "docs/a" in found) == (robots_say == "nofollow", robots_say == "noindex")


@pytest.mark.parametrize("start", ["http://127.0.0.2/", "http://localhost:1/", "http://10.0.0.1/", "http://[::1]/"])
async def test_addresses_inside_are_refused(start: str) -> None:
    client = Egress(AddressPolicy())
    with pytest.raises(DomainError) as refusal:
        _ = [page async for page in crawl(start, Plan(), GuardedWeb("ann", client))]
    assert isinstance(refusal.value, EgressRefused)
    await client.aclose()


async def test_a_redirect_inside_is_refused(site: Any) -> None:
    with pytest.raises(EgressRefused):
        await walked(site, start=f"{site.url}away")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.example/", "nothing", "http://", "http://[", "http://a.example:x/"]
)
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(InvalidParam):
        tidied(url)


@pytest.mark.parametrize(
    ("pattern", "path", "fitting"),
    [
        ("/a", "/about", True),
        ("/a$", "/about", False),
        ("/*.pdf$", "/x/y.pdf", True),
        ("/*.pdf$", "/x/y.pdf?z", False),
        ("/a*c*e", "/abcde", True),
        ("/" + "*a" * 400 + "$", "/" + "a" * 900 + "b", False),
    ],
)
def test_patterns_fit_paths(pattern: str, path: str, fitting: bool) -> None:
    assert robots.fits(pattern, path) is fitting


def test_the_longest_rule_decides_and_our_own_group_counts() -> None:
    text = b"User-agent: a\nUser-agent: difyproj\nDisallow: /x\nAllow: /x/y\nCrawl-delay: 0.5\n\nUser-agent: *\nDisallow: /"
    found = robots.parse(text, "difyproj")
    assert (found.allows("/"), found.allows("/x/z"), found.allows("/x/y/z"), found.delay) == (True, False, True, 0.5)
    assert not robots.parse(text, "other").allows("/")
