"""The Service API as a whole: index, documents, unknown routes, wrong methods, headers on every answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import override_settings

from apps.models import Run
from difyproj.testing.served import Answer, Served

from .contract import assert_error


async def bare(house: Served, method: str, path: str, **options: Any) -> Answer:
    """A request without a token."""
    async with house.client.request(method, house.url + path, **options) as response:
        return Answer(response.status, response.headers, await response.read())


async def test_the_index_says_which_server_this_is_without_a_token(house: Served) -> None:
    answer = await bare(house, "GET", "/v1/")
    assert answer.status == 200
    assert set(answer.json()) == {"welcome", "api_version", "server_version"}
    assert answer.json()["api_version"] == "v1"


async def test_the_openapi_document_names_every_operation(house: Served) -> None:
    document = (await bare(house, "GET", "/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    assert document["servers"] == [{"url": "/v1"}]
    operations = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert {("post", "/chat-messages"), ("get", "/parameters"), ("delete", "/conversations/{conversation_id}")} <= operations
    ids = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(ids) == len(set(ids))
    tags = {tag for methods in document["paths"].values() for one in methods.values() for tag in one["tags"]}
    assert {"Chat Messages", "Files", "Feedback", "Conversations", "Audio", "Applications"} <= tags


async def test_the_openapi_document_is_for_everybody_and_refuses_in_the_envelope(house: Served) -> None:
    for accepted in ("text/html", "application/yaml", "nonsense"):
        answer = await bare(house, "GET", "/v1/openapi.json", headers={"Accept": accepted})
        assert (answer.status, answer.json()["openapi"][0]) == (200, "3")
    refused = await bare(house, "POST", "/v1/openapi.json")
    assert (refused.status, refused.json()["code"], refused.json()["status"]) == (405, "method_not_allowed", 405)


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/redoc"])
async def test_the_documentation_is_a_page(house: Served, path: str) -> None:
    answer = await bare(house, "GET", path)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert b"/v1/openapi.json" in answer.body


@pytest.mark.parametrize(
    "path",
    ["/v1/nope", "/v1/chat-messages/", "/v1/conversations//name", "/v1/info/../info2", "/v1/INFO", "/v1//info", "/v1/%00"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_route_is_told_in_the_envelope(house: Served, method: str, path: str) -> None:
    assert_error(await house.call(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat-messages"),
        ("PUT", "/v1/chat-messages"),
        ("GET", "/v1/files/upload"),
        ("POST", "/v1/info"),
        ("DELETE", "/v1/messages"),
        ("POST", "/v1/conversations"),
        ("DELETE", "/v1/conversations/x/variables/y"),
        ("PATCH", "/v1/app/feedbacks"),
    ],
)
async def test_a_wrong_method_is_refused(house: Served, method: str, path: str) -> None:
    assert_error(await house.call(method, path), 405, "method_not_allowed")


async def test_a_wrong_method_without_a_token_tells_nothing(house: Served) -> None:
    assert_error(await bare(house, "GET", "/v1/chat-messages"), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/v1/info", "/v1/nope", "/v1/messages", "/v1/"])
async def test_every_answer_names_server_environment_and_request(house: Served, path: str) -> None:
    answer = await house.call("GET", path)
    assert answer.headers["X-Version"]
    assert answer.headers["X-Env"]
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-ID"])


async def test_a_stream_names_them_too(house: Served) -> None:
    answer = await house.ask(headers={"X-Request-ID": "trace.me-1_2"})
    assert answer.headers["X-Request-ID"] == "trace.me-1_2"
    assert answer.headers["X-Version"]
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1", True), ("a" * 128, True), ("a" * 129, False), ("a b", False), ("<x>", False)]
)
async def test_a_request_id_is_taken_when_it_is_harmless(house: Served, given: str, kept: bool) -> None:
    answer = await house.call("GET", "/v1/info", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is kept


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize(
    "accepted",
    ["text/event-stream", "application/json", "*/*", "audio/mpeg", "image/*", "nonsense", "text/html", JAVA],
)
async def test_programs_get_json_whatever_they_accept(house: Served, accepted: str) -> None:
    answer = await house.call("GET", "/v1/info", headers={"Accept": accepted})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")


async def test_a_program_that_accepts_streams_gets_one(house: Served) -> None:
    answer = await house.ask(headers={"Accept": "text/event-stream"})
    assert answer.status == 200
    assert answer.frames[-1].event == "message_end"


async def test_a_browser_gets_a_page(house: Served) -> None:
    answer = await house.call("GET", "/v1/info", headers={"Accept": BROWSER})
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_what_a_page_sends_is_answered_as_json(house: Served) -> None:
    answer = await house.ask(response_mode="blocking", headers={"Accept": BROWSER})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")


async def test_a_browser_without_a_token_gets_the_envelope_or_a_page_but_no_crash(house: Served) -> None:
    answer = await bare(house, "GET", "/v1/info", headers={"Accept": BROWSER})
    assert answer.status == 401


async def test_head_answers_like_get_without_a_body(house: Served) -> None:
    answer = await house.call("HEAD", "/v1/info")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path", ["/v1/chat-messages", "/v1/nope"])
async def test_a_page_elsewhere_may_ask_what_it_may_send(house: Served, path: str) -> None:
    answer = await bare(house, "OPTIONS", path, headers={"Origin": "https://example.com"})
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("body", [b"{", b"", b"nonsense", b"[1, 2", b'{"a": "\\ud800"}', b"\xff\xfe", b"[" * 100_000])
async def test_unreadable_json_is_refused(house: Served, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert_error(await house.call("POST", "/v1/chat-messages", data=body, headers=headers), 400, "invalid_param")
    assert not await Run.objects.aexists()


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"17", b"true"])
async def test_json_that_is_no_object_lacks_its_fields(house: Served, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await house.call("POST", "/v1/chat-messages", data=body, headers=headers)
    assert_error(answer, 400, "invalid_param", params="inputs")


async def test_other_content_types_are_refused(house: Served) -> None:
    answer = await house.call("POST", "/v1/chat-messages", data=b"hello", headers={"Content-Type": "text/plain"})
    assert_error(answer, 415, "unsupported_media_type")


async def test_a_charset_does_not_disturb(house: Served) -> None:
    body = '{"inputs": {}, "query": "Grüße", "user": "u1"}'.encode()
    answer = await house.call(
        "POST", "/v1/chat-messages", data=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status == 200


async def test_a_body_over_the_limit_is_refused(house: Served) -> None:
    with override_settings(MAX_BODY_BYTES=1000):
        assert_error(await house.ask("x" * 2000), 413, "request_entity_too_large")
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=1000):
        assert_error(await house.ask("x" * 2000), 413, "request_entity_too_large")
    assert not await Run.objects.aexists()


async def test_a_large_body_goes_through_a_file(house: Served) -> None:
    answer = await house.ask(inputs={"unknown": "x" * 1_500_000}, response_mode="blocking")
    assert answer.status == 200


async def test_the_rate_of_a_token_is_told_and_held(house: Served) -> None:
    with override_settings(API_TOKEN_RATE="3/m"):
        answers = [await house.call("GET", "/v1/info") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["RateLimit-Limit"] for answer in answers] == ["3"] * 4
        assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert 1 <= int(answers[0].headers["RateLimit-Reset"]) <= 60
        assert_error(answers[-1], 429, "too_many_requests")
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert (await house.call("GET", "/v1/info", key=house.completion)).status == 200


async def test_health_needs_no_token(house: Served) -> None:
    for path in ("/health", "/health/live", "/health/ready"):
        answer = await bare(house, "GET", path)
        assert (answer.status, answer.json()["status"]) == (200, "ok")


@pytest.mark.parametrize("lost", [OperationalError, InterfaceError])
async def test_health_says_when_the_database_is_lost(
    house: Served, monkeypatch: pytest.MonkeyPatch, lost: type[Exception]
) -> None:
    def fail(self: BaseDatabaseWrapper) -> None:
        raise lost("The connection is closed.")

    with monkeypatch.context() as patched:
        patched.setattr(BaseDatabaseWrapper, "cursor", fail)
        answer = await bare(house, "GET", "/health")
    assert (answer.status, answer.json()["status"]) == (503, "unavailable")
    assert answer.json()["checks"]["database"] == "unavailable"
    assert (await bare(house, "GET", "/health")).status == 200
