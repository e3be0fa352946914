"""CORS of the API tiers: which pages of other origins may read an answer, and with whose cookies.

An operator's ``*`` lets every page call with a token of its own, never with the visitor's cookies; an origin that is named may
send cookies too.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings

METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
FIXED = {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-App-Code, X-App-Passport, X-Conversation-Id, "
        "X-CSRF-Token, X-Request-ID, X-Trace-Id"
    ),
    "Access-Control-Expose-Headers": (
        "X-Version, X-Env, X-Request-ID, X-Trace-Id, X-Conversation-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, "
        "RateLimit-Reset, Idempotency-Replayed"
    ),
    "Access-Control-Max-Age": "86400",
}
ANYBODY = {"Access-Control-Allow-Origin": "*", **FIXED}
# What OpenAI's JavaScript client tells about itself with each request, in browsers too.
_TOLD = ("Arch", "Helper-Method", "Lang", "OS", "Package-Version", "Retry-Count", "Runtime", "Runtime-Version", "Timeout")
_ALLOWED = (
    FIXED["Access-Control-Allow-Headers"],
    "OpenAI-Organization",
    "OpenAI-Project",
    *(f"X-Stainless-{one}" for one in _TOLD),
)
SERVICE = {**ANYBODY, "Access-Control-Allow-Headers": ", ".join(_ALLOWED)}


def headers(path: str, origin: str, also: Sequence[str] = ()) -> dict[str, str]:
    """The headers of an answer to ``origin`` ("" for none); ``also`` are origins that the site at hand names."""
    if path.startswith("/console/"):
        return _of(settings.CONSOLE_CORS_ALLOW_ORIGINS, origin)
    if is_web(path):
        return _of(also or settings.WEB_API_CORS_ALLOW_ORIGINS, origin)
    return SERVICE


def is_web(path: str) -> bool:
    return path.startswith("/api/")


def is_console_page(origin: str, host: str) -> bool:
    """Whether pages of ``origin`` are the console's own: from this ``host``, or named by the operator; ``*`` names none."""
    return bool(origin) and (origin in settings.CONSOLE_CORS_ALLOW_ORIGINS or host_of(origin) == host)


def host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _of(allowed: Sequence[str], origin: str) -> dict[str, str]:
    if origin and origin in allowed:
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin", **FIXED}
    return ANYBODY if "*" in allowed else {"Vary": "Origin"}
