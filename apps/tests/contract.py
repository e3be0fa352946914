"""What the contract's answers have in common."""

from __future__ import annotations

from difyproj.testing.served import Answer


def assert_error(answer: Answer, status: int, code: str, *, params: str | None = None) -> None:
    """The answer is the error envelope with this status and code, and names the field ``params`` if one is given."""
    body = answer.json()
    assert (answer.status, body.get("code"), body.get("status")) == (status, code, status), answer.body
    assert isinstance(body["message"], str)
    assert set(body) <= {"code", "message", "status", "params"}
    assert answer.headers["Content-Type"] == "application/json"
    if params is not None:
        assert body.get("params") == params, body


UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
