"""Pages of the web for a crawl: fetched by the guarded egress, read by confined processes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Any, Final

from datasets.rag.crawl import Fetched, Text
from difyproj.kernel.decoding import decoded
from difyproj.kernel.http import Egress, Timeout

from .documents import Limits, extracted
from .egress import egress

LARGEST_PAGE: Final = 5 * 1024 * 1024
REDIRECTS: Final = 5
TIMEOUT: Final = Timeout(connect=10, read=20, total=60)
LIMITS: Final = Limits(text=LARGEST_PAGE, seconds=20, cpu_seconds=10)
_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
ACCEPT: Final = "text/html,application/xhtml+xml,text/plain;q=0.8,text/markdown;q=0.8"


class GuardedWeb:
    """A crawl's Web; ``owner`` is whose pages they become. Without a client it is that for addresses that callers name."""

    def __init__(self, owner: str, client: Egress | None = None) -> None:
        self._owner = owner
        self._client = client

    async def fetch(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """Raises EgressRefused and EgressFailed."""
        client = self._client or egress()
        sent = {"Accept": ACCEPT, **headers}
        async with client.open("GET", url, headers=sent, timeout=TIMEOUT, max_redirects=REDIRECTS) as answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            body = await answer.read(LARGEST_PAGE) if answer.status == 200 else b""
            return Fetched(answer.status, answer.url, told, body)

    async def read(self, body: bytes, content_type: str) -> Text:
        """Raises Unreadable."""
        kind = content_type.partition(";")[0].strip().lower()
        if stated := _CHARSET.search(content_type):
            # What the server says counts more than what the page does: the mark says it again.
            body = codecs.BOM_UTF8 + decoded(body, stated[1]).encode("utf-8", "replace")
        if kind.startswith("text/") and kind != "text/html":
            found = await extracted(body, extension="md", owner=self._owner, limits=LIMITS)
            return Text(found.text)
        found = await extracted(body, extension="webpage", owner=self._owner, limits=LIMITS)
        facts: Mapping[str, Any] = found.facts
        return Text(found.text, found.title, facts["description"], tuple(facts["links"]), facts["base"], facts["robots"])
