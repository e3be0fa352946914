"""What a provider's failure means: one of the kernel's errors, with a short public text and the decision to retry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from difyproj.kernel import jsonio
from difyproj.kernel.errors import (
    CompletionRequestError,
    DomainError,
    ModelNotSupported,
    ProviderNotInitialize,
    ProviderQuotaExceeded,
)

TEXT_LIMIT = 300
_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_QUOTA = re.compile(
    r"insufficient[_ ](quota|balance|funds|credit)|exceeded your current quota|billing|credit balance|arrearage", re.I
)
_BAD_KEY = re.compile(r"api[_ ]key[_ ](not valid|invalid)|invalid[_ ]api[_ ]key|incorrect api key|unauthenticated", re.I)
_NO_MODEL = re.compile(r"model[_ ]not[_ ](found|exist)|model .{1,80} (does not exist|not found|not exist)|unknown model", re.I)
_SECRET = re.compile(r"(?:bearer\s+|\b(?:sk|pk|gsk|xai|key|AIza)[-_]?)[\w\-*.]{8,}", re.I)


class ModelCallFailed(CompletionRequestError):
    """A model call failed. ``retryable``: the same call may succeed later; ``upstream_status``: the HTTP status, or 0."""

    def __init__(
        self, message: str, *, retryable: bool = False, upstream_status: int = 0, retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.retryable = retryable
        self.upstream_status = upstream_status


def from_status(label: str, status: int, body: bytes, headers: Mapping[str, str], secrets: Iterable[str] = ()) -> DomainError:
    """The error for an HTTP answer of 400 or more. ``secrets`` never show up in its text."""
    text = public_text(body, secrets)
    said = f"{label}: {text}" if text else f"{label} answered with HTTP status {status}."
    if status == 402 or (status in (400, 403, 429) and _QUOTA.search(text)):
        return ProviderQuotaExceeded(said)
    if status in (401, 403) or (status == 400 and _BAD_KEY.search(text)):
        return ProviderNotInitialize(said)
    if status == 404 or (status == 400 and _NO_MODEL.search(text)):
        return ModelNotSupported(said)
    wait = retry_after(headers)
    return ModelCallFailed(said, retryable=status in _RETRYABLE, upstream_status=status, retry_after=wait)


def from_payload(label: str, error: Any, secrets: Iterable[str] = ()) -> DomainError:
    """The error for a failure that the provider reports inside a stream or inside a 200 answer."""
    code = error.get("code") or error.get("status") if isinstance(error, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 0
    kind = str(error.get("type", "")) if isinstance(error, Mapping) else ""
    if not status:
        status = {"overloaded_error": 529, "rate_limit_error": 429, "authentication_error": 401}.get(kind, 500)
    return from_status(label, status, jsonio.dumps({"error": error}), {}, secrets)


def network(label: str, reason: str, url: str = "") -> ModelCallFailed:
    """The connection failed or broke; always worth another try before the first token.

    ``reason`` names the host of ``url``, which may be an address inside the tenant's network: people are told the label.
    """
    host = urlsplit(url).hostname
    told = reason.replace(host, label) if host else f"{label} could not be reached: {reason}"
    return ModelCallFailed(told, retryable=True)


def broken(label: str, reason: str) -> ModelCallFailed:
    """The answer could not be read as the provider's format."""
    return ModelCallFailed(f"{label} sent an answer that cannot be read: {reason}", retryable=True)


def endless(label: str, limit: str) -> ModelCallFailed:
    """The answer is longer than any that is wanted. Another try would be the same."""
    return ModelCallFailed(f"{label} sent an answer of more than {limit}.")


def timed_out(label: str, what: str, seconds: float) -> ModelCallFailed:
    return ModelCallFailed(f"{label} did not {what} within {seconds:g} seconds.", retryable=True, upstream_status=408)


def public_text(body: bytes, secrets: Iterable[str] = ()) -> str:
    """The human part of an error body, one line of at most TEXT_LIMIT characters, credentials masked."""
    try:
        parsed = jsonio.loads(body[:65536])
    except ValueError:
        parsed = body[:2048].decode("utf-8", "replace")
    text = " ".join(_message(parsed).split())
    if text.startswith("<"):
        return ""
    return mask(text, secrets)[:TEXT_LIMIT]


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` with every known secret, and whatever looks like a key, replaced by ``***``."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return _SECRET.sub("***", text)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header; dates and nonsense count as absent."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return max(0.0, float(value))
            except ValueError:
                return None
    return None


def _message(parsed: Any) -> str:
    if isinstance(parsed, str):
        return parsed
    if isinstance(parsed, list):
        return _message(parsed[0]) if parsed else ""
    if not isinstance(parsed, dict):
        return ""
    if "msg" in parsed and isinstance(parsed.get("loc"), list):
        return f"{parsed['msg']}: {'.'.join(map(str, parsed['loc']))}"
    for key in ("error", "message", "detail", "msg", "error_msg", "errors"):
        if parsed.get(key):
            text = _message(parsed[key])
            code = parsed.get("code") or parsed.get("type")
            return f"{text} ({code})" if isinstance(code, str) and text and code not in text else text
    return ""
