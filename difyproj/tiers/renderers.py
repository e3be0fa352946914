"""What the API tiers write: JSON through the kernel's fast codec, pages for browsers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from difyproj.kernel import jsonio

BODILESS = (204, 304)
BROWSERS_TYPE = "application/xhtml+xml"


class FastJSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if data is None and _has_no_body(renderer_context):
            return b""
        if renderer_context is not None and renderer_context.get("indent"):  # the page for browsers asks for it
            return jsonio.indented(data).encode()
        return jsonio.dumps(data)


def _has_no_body(renderer_context: Mapping[str, Any] | None) -> bool:
    response = (renderer_context or {}).get("response")
    return response is None or response.status_code in BODILESS


class TierNegotiation(DefaultContentNegotiation):
    """JSON for programs, whatever they say they accept (a stream, audio, anything): only browsers get pages.

    Some programs say ``text/html`` without meaning it (Java's own client does); browsers ask for XHTML, too.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first, *others = renderers
        browser = request.method == "GET" and BROWSERS_TYPE in request.headers.get("Accept", "")
        chosen = next((one for one in others if one.media_type == "text/html" and browser), first)
        return chosen, str(chosen.media_type)
