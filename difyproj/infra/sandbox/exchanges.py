"""HTTP for code: what ``requests`` of a worker asks for is done here, by the client for addresses that callers name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from difyproj.infra.egress import egress
from difyproj.kernel.errors import DomainError
from difyproj.kernel.http import Timeout

MOST_EXCHANGES: Final = 20
MOST_SECONDS, USUAL_SECONDS = 60.0, 30.0
LARGEST_ANSWER: Final = 4 * 1024**2
REDIRECTS: Final = 10


class Exchanges:
    """Those of one run of code. ``count`` tells whether it has changed anything outside."""

    def __init__(self) -> None:
        self.count = 0

    async def answer(self, wanted: Mapping[str, Any], body: bytes) -> bytes:
        """The reply for the worker; whatever goes wrong is told in it."""
        self.count += 1
        if self.count > MOST_EXCHANGES:
            return _told({"failed": f"Code may make {MOST_EXCHANGES} requests."})
        try:
            return await self._exchange(wanted, body)
        except (DomainError, ValueError, TypeError, KeyError) as error:
            return _told({"failed": str(error) or type(error).__name__})

    async def _exchange(self, wanted: Mapping[str, Any], body: bytes) -> bytes:
        seconds = wanted["timeout"] or USUAL_SECONDS
        total = seconds if 0 < seconds < MOST_SECONDS else MOST_SECONDS
        opened = egress().open(
            wanted["method"],
            wanted["url"],
            params=[(name, value) for name, value in wanted["params"]],
            headers=[(name, value) for name, value in wanted["headers"]],
            data=body or None,
            timeout=Timeout(total=total),
            max_redirects=REDIRECTS if wanted["redirects"] else 0,
            verify_tls=bool(wanted["verify"]),
            # Any of them may be a credential.
            secret_headers=[name for name, _ in wanted["headers"]],
        )
        async with opened as answer:
            headers = list(answer.headers.items())
            content = await answer.read(LARGEST_ANSWER)
            return _told({"status": answer.status, "url": answer.url, "headers": headers}, content)


def _told(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    return json.dumps(head).encode() + b"\n" + body
