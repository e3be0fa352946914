"""Audio bodies: sent on as the provider makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from django.http import StreamingHttpResponse

SIGNATURES = ((b"RIFF", "audio/wav"), (b"OggS", "audio/ogg"), (b"fLaC", "audio/flac"))


class SpeechBody(StreamingHttpResponse):
    """``of`` waits for the first piece, so that a provider's refusal is still an error answer and the type is known."""

    @classmethod
    async def of(cls, pieces: AsyncIterator[bytes]) -> SpeechBody:
        first = await anext(aiter(pieces), b"")
        kind = next((mime for start, mime in SIGNATURES if first.startswith(start)), "audio/mpeg")
        return cls(_joined(first, pieces), content_type=kind)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async with aclosing(rest):  # type: ignore[type-var]
        async for piece in rest:
            yield piece
