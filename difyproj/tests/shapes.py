"""The one shape that the errors of a route have, and the odd things that routes are sent to see it."""

from __future__ import annotations

import re
from posixpath import normpath
from typing import Any

from difyproj.testing.served import Answer
from difyproj.tiers.error_shapes import for_path, openai, webhook

ODD_BODIES: list[Any] = [None, [], "text", {"user": {"a": 1}}, {"inputs": 1, "query": 2, "user": 3, "files": 4}]
ODD_IDS = ["no-uuid", "00000000-0000-4000-8000-000000000000", "%00", "..", "%F0%9F%92%A9", "x" * 500]
# Told with the name that the contract gives a failure there, beside the usual ones.
WITH_RESULT = ("/console/api/refresh-token",)
# By the contract an import that failed is still an import, and says so in its own shape.
IMPORTS = re.compile(r"/console/api/apps/imports(/[^/]+/confirm)?")
IMPORT = {"id", "status", "app_id", "app_mode", "current_dsl_version", "imported_dsl_version", "error"}


def assert_shape(answer: Answer, path: str, told: str) -> None:
    assert answer.status < 500, told
    if answer.status < 400:
        return
    assert answer.headers["Content-Type"] == "application/json", told
    body = answer.json()
    if IMPORTS.fullmatch(normpath(path)) and body.get("status") == "failed":
        assert (answer.status, set(body)) == (400, IMPORT), told
        assert body["error"] and isinstance(body["error"], str), told
    elif for_path(normpath(path)) is openai:
        assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}, told
        assert all(isinstance(body["error"][name], str) and body["error"][name] for name in ("message", "type", "code")), told
        assert isinstance(body["error"]["param"], str | None), told
    elif for_path(normpath(path)) is webhook:
        assert set(body) == {"error", "message"} and all(isinstance(body[name], str) and body[name] for name in body), told
    else:
        may_have = {"params", "result"} if path in WITH_RESULT else {"params"}
        assert set(body) - may_have == {"code", "message", "status"}, told
        assert body["status"] == answer.status, told
        assert isinstance(body["code"], str) and body["code"], told
        assert isinstance(body["message"], str), told
        assert isinstance(body.get("params", ""), str), told
    assert answer.headers["X-Request-ID"], told
    if answer.status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"', told
    if answer.status == 429:
        assert int(answer.headers["Retry-After"]) >= 1, told
