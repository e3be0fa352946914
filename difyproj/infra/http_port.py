"""Requests of graphs, through the guarded egress."""

from __future__ import annotations

from typing import Final

from difyproj.kernel.http import Egress, Timeout
from workflows.engine.ports import HttpAnswer, HttpCall

from .egress import egress

REDIRECTS: Final = 10


class GuardedHttp:
    """A run's HttpPort. Without a client it is that for addresses that callers name."""

    def __init__(self, client: Egress | None = None) -> None:
        self._client = client

    async def send(self, call: HttpCall) -> HttpAnswer:
        """The three times together bound the whole exchange. Raises EgressRefused, and EgressFailed in all its kinds."""
        connect, read, write = call.timeout
        client = self._client or egress()
        async with client.open(
            call.method,
            call.url,
            params=call.params,
            headers=call.headers,
            data=call.body,
            timeout=Timeout(connect=connect, read=read, total=connect + read + write),
            max_redirects=REDIRECTS,
            verify_tls=call.verify_tls,
            secret_headers=call.secret,
        ) as answer:
            body = await answer.read(call.limit)
            return HttpAnswer(answer.status, tuple(answer.headers.items()), body)
