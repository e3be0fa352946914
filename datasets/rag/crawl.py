"""The pages of a site, from one of them: only where its robots.txt allows, and only what has changed since the last time."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol
from urllib.parse import urljoin, urlsplit, urlunsplit

from difyproj.kernel.egress_errors import EgressFailed
from difyproj.kernel.errors import DomainError, InvalidParam

from . import robots

NAME: Final = "difyproj"
State = Literal["new", "changed", "unchanged", "gone", "failed"]
_GONE: Final = (404, 410)
_PORTS: Final = {"http": 80, "https": 443}
_LONGEST_URL: Final = 2000
_TRIES_PER_PAGE: Final = 3
"""Of so many addresses for each page that is wanted, the others may lead nowhere."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer; ``url`` is where it came from in the end, ``headers`` have lower-case names."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    """What a page says, and where it leads."""

    markdown: str
    title: str = ""
    description: str = ""
    links: tuple[str, ...] = ()
    base: str = ""
    robots: str = ""


class Web(Protocol):
    async def fetch(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """Raises EgressRefused for addresses that may not be reached, EgressFailed for those that do not answer."""

    async def read(self, body: bytes, content_type: str) -> Text:
        """Raises Unreadable."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a page since the last time."""

    hash: str
    etag: str = ""
    modified: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How far to go. ``depth`` counts links from the first page (0: that page alone); patterns are of paths."""

    depth: int = 1
    limit: int = 10
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebPage:
    """``markdown`` is empty for what is unchanged, gone or failed; ``known`` is to be remembered."""

    url: str
    state: State
    title: str = ""
    description: str = ""
    markdown: str = field(default="", repr=False)
    known: Known | None = None
    error: str = ""


async def crawl(start: str, plan: Plan, web: Web, known: Mapping[str, Known] | None = None) -> AsyncIterator[WebPage]:
    """Pages as they are read, nearest first. Raises a DomainError for a start that leads nowhere."""
    walk = _Walk(tidied(start), plan, web, known or {})
    async for page in walk.pages():
        yield page


def tidied(url: str, base: str = "") -> str:
    """One way to write each address. Raises InvalidParam for what is none."""
    try:
        parts = urlsplit(urljoin(base, url.strip()))
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise InvalidParam("The URL is not valid.", params="url") from None
    if parts.scheme not in _PORTS or not host or len(url) > _LONGEST_URL:
        raise InvalidParam("The URL is not valid.", params="url")
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    return urlunsplit((parts.scheme, place, parts.path or "/", parts.query, ""))


class _Walk:
    def __init__(self, start: str, plan: Plan, web: Web, known: Mapping[str, Known]) -> None:
        self._start, self._plan, self._web, self._known = start, plan, web, known
        self._site = _site(start)
        self._waiting: deque[tuple[str, int]] = deque([(start, 0)])
        self._seen = {start}
        self._robots: dict[str, robots.Robots] = {}

    async def pages(self) -> AsyncIterator[WebPage]:
        count = tries = 0
        while self._waiting and count < self._plan.limit and tries < _TRIES_PER_PAGE * self._plan.limit:
            url, depth = self._waiting.popleft()
            tries += 1
            page = await self._page(url, depth)
            if page is not None:
                count += 1
                yield page

    async def _page(self, url: str, depth: int) -> WebPage | None:
        is_first = url == self._start
        try:
            allowed = await self._rules(url)
            if not allowed.allows(_path(url)):
                if is_first:
                    raise InvalidParam("The site's robots.txt does not allow this page to be read.", params="url")
                return None
            if allowed.delay and not is_first:
                await asyncio.sleep(allowed.delay)
            return await self._read(url, depth)
        except DomainError as error:
            if is_first:
                raise
            return WebPage(url, "failed", error=error.message)

    async def _read(self, url: str, depth: int) -> WebPage | None:
        before = self._known.get(url)
        got = await self._web.fetch(url, _conditions(before))
        final = tidied(got.url)
        if final != url and (_site(final) != self._site or final in self._seen):
            if url == self._start and _site(final) != self._site:
                raise InvalidParam("The page leads to another site.", params="url")
            return None
        self._seen.add(final)
        if got.status == 304 and before is not None:
            self._follow(before.links, final, depth)
            return WebPage(url, "unchanged", known=before)
        if got.status in _GONE and before is not None:
            return WebPage(url, "gone")
        if got.status != 200:
            raise EgressFailed(f"The page answered with status {got.status}.", retryable=got.status >= 500)
        kind = got.headers.get("content-type", "text/html")
        if not kind.startswith(("text/html", "application/xhtml", "text/plain", "text/markdown")):
            return None
        text = await self._web.read(got.body, kind)
        return self._told(url, final, depth, got, text)

    def _told(self, url: str, final: str, depth: int, got: Fetched, text: Text) -> WebPage | None:
        links = () if "nofollow" in text.robots else self._links(text, final)
        self._follow(links, final, depth)
        if "noindex" in text.robots:
            return None
        told = hashlib.sha256(f"{text.title}\n{text.markdown}".encode()).hexdigest()
        known = Known(told, got.headers.get("etag", ""), got.headers.get("last-modified", ""), links)
        before = self._known.get(url)
        if before is not None and before.hash == told:
            return WebPage(url, "unchanged", known=known)
        state: State = "new" if before is None else "changed"
        return WebPage(url, state, text.title or url, text.description, text.markdown, known)

    def _links(self, text: Text, url: str) -> tuple[str, ...]:
        """Those that stay on the site, each once."""
        base = urljoin(url, text.base)
        found: dict[str, None] = {}
        for link in text.links:
            try:
                found.setdefault(tidied(link, base))
            except InvalidParam:
                continue
        return tuple(link for link in found if _site(link) == self._site)

    def _follow(self, links: tuple[str, ...], url: str, depth: int) -> None:
        if depth >= self._plan.depth:
            return
        for link in links:
            path = _path(link)
            is_wanted = not self._plan.include or robots.any_fits(self._plan.include, path)
            if link not in self._seen and is_wanted and not robots.any_fits(self._plan.exclude, path):
                self._seen.add(link)
                self._waiting.append((link, depth + 1))

    async def _rules(self, url: str) -> robots.Robots:
        """Where a site does not say what it allows, all is; where it cannot say so now, nothing is."""
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.netloc}"
        if place not in self._robots:
            got = await self._web.fetch(f"{place}/robots.txt", {})
            is_away = got.status >= 500 or got.status == 429
            told = robots.parse(got.body, NAME) if got.status == 200 else robots.Robots()
            self._robots[place] = robots.NOTHING if is_away else told
        return self._robots[place]


def _conditions(known: Known | None) -> dict[str, str]:
    if known is None:
        return {}
    given = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    return {name: value for name, value in given.items() if value}


def _site(url: str) -> tuple[str, int | None]:
    """Host and port, whether or not it says ``www`` or ``https``."""
    parts = urlsplit(url)
    port = parts.port
    return (parts.hostname or "").removeprefix("www."), None if port in (None, 80, 443) else port


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
