"""What provider failures become, and that nothing secret is in their text."""

from __future__ import annotations

import pytest

from difyproj.kernel.errors import DomainError, ModelNotSupported, ProviderNotInitialize, ProviderQuotaExceeded
from difyproj.model_runtime import errors
from difyproj.model_runtime.errors import ModelCallFailed


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", ProviderNotInitialize),
        (403, b'{"error":{"message":"Country not supported"}}', ProviderNotInitialize),
        (400, b'{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}', ProviderNotInitialize),
        (402, b'{"error":{"message":"Insufficient Balance"}}', ProviderQuotaExceeded),
        (429, b'{"error":{"message":"x","code":"insufficient_quota","type":"insufficient_quota"}}', ProviderQuotaExceeded),
        (400, b'{"error":{"message":"Your credit balance is too low"}}', ProviderQuotaExceeded),
        (403, b'{"error":{"message":"Sorry, your account balance is insufficient: arrearage"}}', ProviderQuotaExceeded),
        (404, b'{"error":"model \'x\' not found"}', ModelNotSupported),
        (400, b'{"error":{"message":"The model `x` does not exist"}}', ModelNotSupported),
        (429, b'{"message":"slow down"}', ModelCallFailed),
        (500, b"<html>Oops</html>", ModelCallFailed),
        (418, b"\xff\xfe", ModelCallFailed),
    ],
)
def test_statuses_and_bodies_become_the_contract_s_errors(status: int, body: bytes, kind: type[DomainError]) -> None:
    assert type(errors.from_status("Acme", status, body, {})) is kind


@pytest.mark.parametrize(
    ("status", "retryable"), [(408, True), (429, True), (500, True), (529, True), (400, False), (422, False)]
)
def test_a_failure_says_whether_another_try_may_help(status: int, retryable: bool) -> None:
    error = errors.from_status("Acme", status, b"{}", {"retry-after": "2.5"})
    assert isinstance(error, ModelCallFailed)
    assert (error.retryable, error.upstream_status, error.retry_after) == (retryable, status, 2.5)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":{"message":"Bad\\n  thing","type":"oops"}}', "Bad thing (oops)"),
        (b'{"detail":[{"loc":["body","x"],"msg":"Extra inputs"}]}', "Extra inputs: body.x"),
        (b'[{"error":{"message":"listed"}}]', "listed"),
        (b'{"message":"plain"}', "plain"),
        (b"just text", "just text"),
        (b"<!doctype html><p>no</p>", ""),
        (b"{}", ""),
        (b"[" * 100000, ""),
    ],
)
def test_the_human_part_of_a_body_is_found(body: bytes, text: str) -> None:
    assert errors.public_text(body).removeprefix("[" * errors.TEXT_LIMIT) == text


def test_texts_are_short_and_secrets_are_masked() -> None:
    body = b'{"error":{"message":"Incorrect API key provided: my-odd-secret, sk-proj-abc***xyz1234, Bearer abcdefgh123 %s"}}'
    text = errors.public_text(body % (b"x " * 500), ["my-odd-secret"])
    assert len(text) <= errors.TEXT_LIMIT
    assert not any(secret in text for secret in ("my-odd-secret", "abc", "xyz1234", "abcdefgh123"))


def test_an_error_in_a_stream_has_the_status_of_its_kind() -> None:
    busy = errors.from_payload("Acme", {"type": "overloaded_error", "message": "Overloaded"})
    assert isinstance(busy, ModelCallFailed)
    assert (busy.retryable, busy.upstream_status) == (True, 529)
    assert isinstance(errors.from_payload("Acme", {"code": 401, "message": "no"}), ProviderNotInitialize)
    assert "fell over" in errors.from_payload("Acme", "it fell over").message


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), ("-1", 0.0), ("Wed, 21 Oct 2025 07:28:00 GMT", None), ("nan?", None)]
)
def test_retry_after_is_seconds_or_nothing(value: str, seconds: float | None) -> None:
    assert errors.retry_after({"Retry-After": value}) == seconds
