"""GET /health: is the process there (live), can it do its work (ready)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.db import Error, connection

from difyproj.infra import backends, db
from difyproj.kernel import jsonio

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

READY_PATHS = ("/health", "/health/ready")
PATHS = (*READY_PATHS, "/health/live")


async def answer(path: str, send: Send) -> None:
    checks = await _checks() if path in READY_PATHS else {}
    healthy = all(state == "ok" for state in checks.values())
    body = jsonio.dumps({"status": "ok" if healthy else "unavailable", "version": settings.APP_VERSION, "checks": checks})
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200 if healthy else 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _checks() -> dict[str, str]:
    found = {"database": await db.run(_database)}
    if backends.configured():
        found["redis"] = await db.run(_redis)
    return found


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:  # InterfaceError, of a lost connection, is no DatabaseError
        return "unavailable"
    return "ok"


def _redis() -> str:
    return "ok" if backends.family().answers() else "unavailable"
