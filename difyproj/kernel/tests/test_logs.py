"""Log lines: their shape, who is asking, what is never in them."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from difyproj.kernel import logs
from difyproj.kernel.secrets import REDACTED


class Lines:
    """A handler's output, line by line."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(formatter)

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def only(self) -> dict[str, Any]:
        (line,) = self.text.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture(autouse=True)
def _nobody_asks() -> Iterator[None]:
    logs.clear_context()
    yield
    logs.clear_context()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger(logs.LOGGER_NAME)
    before = logger.handlers, logger.level, logger.propagate, logger.disabled
    logger.handlers, logger.propagate, logger.disabled = [], False, False
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers, logger.level, logger.propagate, logger.disabled = before
    logger.setLevel(before[1])


@pytest.fixture
def lines(logger: logging.Logger) -> Lines:
    lines = Lines(logs.JsonFormatter())
    logger.addHandler(lines.handler)
    return lines


def test_a_line_is_one_json_object_with_the_fields_in_order(lines: Lines, logger: logging.Logger) -> None:
    logs.set_context(request_id="r-1", user_id="u-1", app_id="a-1")
    logger.warning("Bonjour %s,\nça va, 世界?", "é", extra={"workflow": "w", "total_tokens": 7})
    assert list(lines.only) == ["timestamp", "level", "message", "context", "workflow", "total_tokens"]
    assert lines.only["message"] == "Bonjour é,\nça va, 世界?" and "世界" in lines.text
    assert lines.only["level"] == "WARNING" and lines.only["total_tokens"] == 7
    assert lines.only["context"] == {"request_id": "r-1", "user_id": "u-1", "app_id": "a-1"}
    written = datetime.fromisoformat(lines.only["timestamp"])
    assert written.tzinfo is not None and abs((datetime.now(UTC) - written).total_seconds()) < 5


def test_the_request_line_names_the_call_and_its_result(lines: Lines) -> None:
    call = {
        "method": "POST",
        "endpoint": "/v1/chat-messages",
        "execution_time": 0.25,
        "user_agent": "curl",
        "ip_address": "::1",
    }
    logs.request_completed(**call, status_code=200)  # type: ignore[arg-type]
    assert lines.only == {**lines.only, **call, "status_code": 200, "message": "API request completed", "level": "INFO"}


def test_a_request_that_failed_on_our_side_is_an_error_line(lines: Lines) -> None:
    logs.request_completed(method="GET", endpoint="/", status_code=500, execution_time=0, user_agent="", ip_address="")
    assert lines.only["level"] == "ERROR"


def test_secrets_are_redacted_in_extras_and_in_arguments(lines: Lines, logger: logging.Logger) -> None:
    logger.error(
        "sent %s as %s",
        {"api_key": "s3cr3t", "deep": [{"Password": "s3cr3t"}]},
        "alice",
        extra={"access_token": "s3cr3t", "body": {"credentials": {"key": "s3cr3t"}, "headers": [{"Cookie": "s3cr3t"}]}},
    )
    assert "s3cr3t" not in lines.text
    assert lines.only["access_token"] == REDACTED and lines.only["body"]["headers"] == [{"Cookie": REDACTED}]
    assert lines.only["message"].endswith("as alice")


def test_named_arguments_are_redacted_too(lines: Lines, logger: logging.Logger) -> None:
    logger.info("%(user)s logs in with %(password)s", {"user": "alice", "password": "s3cr3t"})
    assert lines.only["message"] == f"alice logs in with {REDACTED}"


def test_an_exception_is_kept_inside_the_line(lines: Lines, logger: logging.Logger) -> None:
    try:
        raise KeyError("nothing")
    except KeyError:
        logger.exception("failed")
    assert "KeyError: 'nothing'" in lines.only["exception"] and "Traceback" in lines.only["exception"]


def test_an_extra_cannot_take_the_place_of_a_field(lines: Lines, logger: logging.Logger) -> None:
    logger.info("true", extra={"level": "forged", "context": "forged", "timestamp": "forged"})
    assert (lines.only["level"], lines.only["context"], lines.only["extra_level"]) == ("INFO", {}, "forged")


@dataclass
class Thing:
    token: str
    size: int


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.50"), "1.50"),
        (Thing("s3cr3t", 3), {"token": REDACTED, "size": 3}),
        (object, "<class 'object'>"),
        (2**70, 2**70),
        ("\ud800", "\ud800"),
        ({(1, 2): "x"}, {"(1, 2)": "x"}),
        (float("nan"), None),
    ],
)
def test_any_value_can_be_logged(value: Any, written: Any, lines: Lines, logger: logging.Logger) -> None:
    logger.info("value", extra={"value": value})
    assert lines.only["value"] == written


def test_other_loggers_say_who_they_are() -> None:
    record = logging.LogRecord("asyncio", logging.INFO, "", 1, "slow", (), None)
    assert json.loads(logs.JsonFormatter().format(record))["logger"] == "asyncio"


def test_text_lines_cannot_be_forged_by_a_line_break(logger: logging.Logger) -> None:
    lines = Lines(logs.TextFormatter())
    logger.addHandler(lines.handler)
    logs.set_context(request_id="r-1")
    logger.info("user %s", "a\r\nERROR forged", extra={"api_key": "s3cr3t", "n": "x\ny"})
    assert len(lines.text.splitlines()) == 1 and "s3cr3t" not in lines.text
    assert "INFO dify.api user a\\r\\nERROR forged request_id='r-1'" in lines.text
    try:
        raise KeyError("nothing")
    except KeyError:
        logger.exception("failed")
    assert "KeyError: 'nothing'" in lines.text


def test_the_context_adds_up_and_is_cleared() -> None:
    logs.set_context(request_id="r-1", user_id="")
    logs.set_context(app_id="a-1")
    assert logs.context() == {"request_id": "r-1", "app_id": "a-1"}
    logs.set_context(request_id="r-2")
    assert logs.context() == {"request_id": "r-2"}
    logs.clear_context()
    assert logs.context() == {}


async def test_requests_at_the_same_time_keep_their_own_context() -> None:
    async def request(number: int) -> dict[str, str]:
        logs.set_context(request_id=f"r-{number}", app_id="")
        await asyncio.sleep(0)
        logs.set_context(app_id=f"a-{number}")
        await asyncio.sleep(0)
        return logs.context()

    logs.set_context(request_id="outer")
    found = await asyncio.gather(*(request(number) for number in range(10)))
    assert found == [{"request_id": f"r-{number}", "app_id": f"a-{number}"} for number in range(10)]
    assert logs.context() == {"request_id": "outer"}


def test_what_a_worker_thread_finds_out_reaches_the_request() -> None:
    logs.set_context(request_id="r-1")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, logs.set_context, app_id="a-1").result()
    assert logs.context() == {"request_id": "r-1", "app_id": "a-1"}


@pytest.mark.parametrize("as_json", [True, False])
def test_the_configuration_makes_the_chosen_lines(
    as_json: bool, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        logging.config.dictConfig(logs.logging_config(json=as_json, level="WARNING"))
        logger.propagate = True
        logger.info("quiet")
        logger.warning("loud")
    finally:
        root.handlers, root.level = before
        root.setLevel(before[1])
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("{") is as_json and "loud" in line


def test_a_server_that_writes_no_access_lines_is_left_alone() -> None:
    """Naming a logger would set what lies below it back to passing everything on."""
    access = logging.getLogger("uvicorn.access")
    before = access.handlers, access.propagate
    root = logging.getLogger()
    root_before = root.handlers[:], root.level
    try:
        access.handlers, access.propagate = [], False
        logging.config.dictConfig(logs.logging_config(json=True, level="INFO"))
        assert not access.hasHandlers()
    finally:
        access.handlers, access.propagate = before
        root.handlers, root.level = root_before
        root.setLevel(root_before[1])
