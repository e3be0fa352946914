"""What every answer of the API tiers tells browsers: bytes are what they say they are, and pages run no foreign scripts."""

from __future__ import annotations

import secrets

from django.http import HttpRequest
from django.http.response import HttpResponseBase

ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
# What members see of their workspace stays in no browser or proxy that another may use.
CONSOLE = {**ALWAYS, "Cache-Control": "no-store"}
# The browsable API and the pages of the OpenAPI documents; Redoc works in a worker made of a blob.
PAGE = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def of(path: str) -> dict[str, str]:
    """The headers of an answer at this path, where the view has not set them."""
    return CONSOLE if path.startswith("/console/") else ALWAYS


def give_nonce(request: HttpRequest) -> None:
    """A word that this answer's own inline scripts carry."""
    request.csp_nonce = secrets.token_urlsafe(16)  # type: ignore[attr-defined]


def guard_page(request: HttpRequest, response: HttpResponseBase) -> None:
    """A page's own headers, where the view has not set them."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response.headers.setdefault("Content-Security-Policy", PAGE.format(nonce=getattr(request, "csp_nonce", "")))
        response.headers.setdefault("X-Frame-Options", "DENY")
