"""Requests that nodes send, through the guarded egress and nothing else."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from multidict import CIMultiDict

from difyproj.infra.egress import egress
from difyproj.kernel.http import Timeout
from workflows.engine.ports import HttpAnswer, HttpCall

REDIRECTS: Final = 10


class GuardedHttp:
    """``HttpPort``. No header of a node is sent on to another origin: any of them may hold a credential."""

    async def send(self, call: HttpCall) -> HttpAnswer:
        connect, read, write = call.timeout
        opened = egress().open(
            call.method,
            _with_query(call),
            headers=CIMultiDict(call.headers),
            data=call.body,
            timeout=Timeout(connect=connect, read=read, total=connect + read + write),
            max_redirects=REDIRECTS,
            verify_tls=call.verify_tls,
            secret_headers={name for name, _ in call.headers},
        )
        async with opened as answer:
            body = await answer.read(call.limit)
            return HttpAnswer(answer.status, list(answer.headers.items()), body)


def _with_query(call: HttpCall) -> str:
    """Parameters stand behind those that the address has already; names may repeat."""
    if not call.params:
        return call.url
    address, mark, fragment = call.url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(call.params)}{mark}{fragment}"
