"""Errors as the API tiers write them: ``{"code", "message", "status"}``, the same for every cause.

A family of routes that speaks another API's language has a shape of its own (error_shapes.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from difyproj.kernel import errors, jsonio

logger = logging.getLogger("dify.api")

Shape = Callable[[errors.DomainError], dict[str, Any]]

REALM = 'Bearer realm="api"'
BAD_JSON = "The request's JSON payload is invalid or empty."


class HttpError(errors.DomainError):
    """An error of HTTP itself; code and status are given, not fixed by the class."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message, **extra)
        self.wire_code, self.wire_status = code, status


def code_of(error: errors.DomainError) -> str:
    return getattr(error, "wire_code", error.code)


def status_of(error: errors.DomainError) -> int:
    return int(getattr(error, "wire_status", error.status))


def envelope(error: errors.DomainError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": code_of(error), "message": error.message, "status": status_of(error)}
    if error.params is not None:
        body["params"] = error.params
    return body


def headers(error: errors.DomainError) -> dict[str, str]:
    found: dict[str, str] = {}
    if status_of(error) == HTTPStatus.UNAUTHORIZED:
        found["WWW-Authenticate"] = REALM
    if error.retry_after is not None:
        found["Retry-After"] = str(max(1, round(error.retry_after)))
    return found


def plain_response(error: errors.DomainError, shape: Shape = envelope) -> HttpResponse:
    """An error outside of any view: unknown routes, oversized bodies, crashes."""
    return HttpResponse(
        jsonio.dumps(shape(error)), status=status_of(error), content_type="application/json", headers=headers(error)
    )


def exception_handler(cause: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. Whatever happened in a view is told in its ``error_shape``; unexpected causes are logged with their stack.

    None, which lets it through, for a lost database: the kit's handler knows whether the view may run again.
    """
    if isinstance(cause, OperationalError | InterfaceError):
        return None
    error = translate(cause)
    if isinstance(error, errors.InternalError):
        logger.error("Unhandled exception in %s", type(context.get("view")).__name__, exc_info=cause)
    shape: Shape = getattr(context.get("view"), "error_shape", envelope)
    return Response(shape(error), status=status_of(error), headers=headers(error))


def translate(cause: BaseException) -> errors.DomainError:
    """The member of the error family that ``cause`` is for a caller."""
    if isinstance(cause, errors.DomainError):
        return cause
    if isinstance(cause, exceptions.APIException):
        return _translate_api_exception(cause)
    if isinstance(cause, Http404):
        return errors.NotFound()
    if isinstance(cause, PermissionDenied):
        return errors.Forbidden()
    if isinstance(cause, RequestDataTooBig):
        return HttpError(413, "request_entity_too_large", "The request body is too large.")
    if isinstance(cause, SuspiciousOperation):
        return errors.BadRequest()
    return errors.InternalError()


def _translate_api_exception(cause: exceptions.APIException) -> errors.DomainError:
    if isinstance(cause, exceptions.ValidationError):
        field, text = first_problem(cause.detail)
        return errors.InvalidParam(text, params=field)
    if isinstance(cause, exceptions.ParseError):
        return errors.InvalidParam(BAD_JSON)
    if isinstance(cause, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return errors.Unauthorized(str(cause.detail))
    if isinstance(cause, exceptions.Throttled):
        return errors.TooManyRequests(retry_after=getattr(cause, "wait", None) or 1)
    code = {404: "not_found", 405: "method_not_allowed", 406: "not_acceptable", 415: "unsupported_media_type"}.get(
        cause.status_code, "bad_request"
    )
    return HttpError(cause.status_code, code, str(cause.detail))


def first_problem(detail: Any, field: str | None = None) -> tuple[str | None, str]:
    """The first field that DRF found wrong, and what it says of it."""
    if isinstance(detail, dict) and detail:
        name, inner = next(iter(detail.items()))
        path = name if field is None else f"{field}.{name}"
        return first_problem(inner, field if name == "non_field_errors" else str(path))
    if isinstance(detail, list) and detail:
        return first_problem(next((item for item in detail if item), ""), field)
    text = str(detail)
    return field, f"{field}: {text}" if field and field not in text else text
