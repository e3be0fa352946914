"""The request line of each API call: its id, its time, who it was, how it ended."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from difyproj.infra import audit
from difyproj.kernel import clock, ids, logs

from . import cors

ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# Whoever knows these addresses may use them.
SECRET_PLACES = re.compile(r"(?<=^/triggers/webhook/)[^/]+|(?<=^/triggers/webhook-debug/)[^/]+|(?<=/form/human_input/)[^/]+")


@dataclass(slots=True)
class Entry:
    """One request while it is answered."""

    method: str
    endpoint: str
    request_id: str
    user_agent: str
    ip_address: str
    started: float = field(default_factory=clock.monotonic)
    origin: str = ""
    site_origins: Sequence[str] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def response_headers(self) -> dict[str, str]:
        return {
            "X-Request-ID": self.request_id,
            "X-Version": settings.APP_VERSION,
            "X-Env": settings.DEPLOY_ENV,
            **self.headers,
        }

    def cors_headers(self) -> dict[str, str]:
        return cors.headers(self.endpoint, self.origin, self.site_origins)

    def complete(self, status_code: int) -> None:
        logs.request_completed(
            method=self.method,
            endpoint=SECRET_PLACES.sub("***", self.endpoint),
            status_code=status_code,
            execution_time=round(clock.monotonic() - self.started, 6),
            user_agent=self.user_agent,
            ip_address=self.ip_address,
        )


def begin(scope: MutableMapping[str, Any]) -> Entry:
    """Note the request and make its id known to every log line written for it."""
    headers = dict(scope["headers"])
    given = headers.get(b"x-request-id", b"")
    request_id = given.decode() if ACCEPTED_ID.fullmatch(given) else str(ids.new_id())
    logs.set_context(request_id=request_id, user_id="", app_id="")
    address = address_of(scope)
    audit.begin(ip=address, request_id=request_id)
    return Entry(
        method=scope["method"],
        endpoint=scope["path"],
        request_id=request_id,
        user_agent=headers.get(b"user-agent", b"").decode("latin-1"),
        ip_address=address or "",
        origin=headers.get(b"origin", b"").decode("latin-1"),
    )


def address_of(scope: MutableMapping[str, Any]) -> str | None:
    """Where the call comes from. Whatever a proxy says that is no address is nothing."""
    client = scope.get("client")
    return plain_address(client[0]) if client else None


def plain_address(text: str) -> str | None:
    """The address without its zone, as the database takes it; None for what is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
