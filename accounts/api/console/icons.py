"""Icons of model providers, drawn from their names: no vendor's mark is ours to give away."""

from __future__ import annotations

import hashlib
from html import escape

from django.http import HttpResponse

from difyproj.model_runtime import catalogue

DAY = 24 * 60 * 60
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 0 64 64">'
    '<rect width="64" height="64" rx="14" fill="hsl({hue},55%,42%)"/>'
    '<text x="32" y="42" font-family="sans-serif" font-size="28" text-anchor="middle" fill="#fff">{letters}</text></svg>'
)


def drawn(provider: str) -> HttpResponse:
    """The first letters of the provider's label on a colour of its own."""
    label = catalogue.info(provider).label
    hue = int(hashlib.sha256(provider.encode()).hexdigest()[:4], 16) % 360
    answer = HttpResponse(SVG.format(hue=hue, letters=escape(_letters(label))), content_type="image/svg+xml")
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = f"public, max-age={DAY}"
    return answer


def _letters(label: str) -> str:
    words = label.replace("-", " ").split()
    return (words[0][0] + words[1][0] if len(words) > 1 else label[:2]).upper()
