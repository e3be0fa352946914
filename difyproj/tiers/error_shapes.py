"""Shapes of errors beside the usual envelope: which paths write them, and how. Views name theirs in ``error_shape``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from difyproj.kernel.errors import DomainError

from .errors import Shape, code_of, envelope, status_of

# Paths of OpenAI's API, served or not, that nobody else has: a client that asks there reads this shape.
OPENAI_PATHS: Final = (
    "/v1/chat/",
    "/v1/models/",
    "/v1/embeddings/",
    "/v1/completions/",
    "/v1/responses/",
    "/v1/images/",
    "/v1/audio/",
    "/v1/moderations/",
)
WEBHOOK_PATHS: Final = "/triggers/"
_OPENAI_CODES: Final = {
    "unauthorized": "invalid_api_key",
    "too_many_requests": "rate_limit_exceeded",
    "rate_limit_error": "rate_limit_exceeded",
    "provider_quota_exceeded": "insufficient_quota",
}
_OPENAI_TYPES: Final = {403: "permission_error", 429: "rate_limit_error"}
# Not the caller's fault, though the contract's status for them is 400.
_UPSTREAM: Final = frozenset({"completion_request_error", "provider_not_initialize", "model_currently_not_support"})


def openai(error: DomainError) -> dict[str, Any]:
    """``{"error": {"message", "type", "param", "code"}}``."""
    status, code = status_of(error), code_of(error)
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    if code == "provider_quota_exceeded":
        kind = "insufficient_quota"
    elif code in _UPSTREAM:
        kind = "api_error"
    return {"error": {"message": error.message, "type": kind, "param": error.params, "code": _OPENAI_CODES.get(code, code)}}


def webhook(error: DomainError) -> dict[str, Any]:
    """``{"error": "Bad Request", "message": ...}``."""
    return {"error": HTTPStatus(status_of(error)).phrase, "message": error.message}


def for_path(path: str) -> Shape:
    """The shape of errors where no view was reached."""
    whole = f"{path.rstrip('/')}/"
    if whole.startswith(WEBHOOK_PATHS):
        return webhook
    return openai if whole.startswith(OPENAI_PATHS) else envelope
