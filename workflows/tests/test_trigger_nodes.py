"""Triggers: what a request becomes, and when a schedule is due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from difyproj.kernel import jsonio
from difyproj.kernel.errors import AppUnavailable, InvalidParam
from difyproj.testing.fakes import scripted
from workflows.engine.events import NodeFinished, RunFinished
from workflows.engine.pool import VariablePool
from workflows.nodes.trigger_schedule import TriggerScheduleData, next_after
from workflows.nodes.trigger_webhook import MULTIPART, URLENCODED, Received, TriggerWebhookData, inputs, response

from .graphs import events_of, graph
from .nodes import done, file

HOOK = {
    "method": "post",
    "content_type": "application/json",
    "headers": [{"name": "X-Event-Type", "required": True}, {"name": "x_trace"}],
    "params": [{"name": "page", "type": "number"}, {"name": "all", "type": "boolean", "required": False}],
    "body": [{"name": "order", "type": "object", "required": True}, {"name": "tags", "type": "array[string]"}],
}


def webhook(**changes: Any) -> TriggerWebhookData:
    return msgspec.convert({**HOOK, **changes}, TriggerWebhookData, strict=False)


def request(body: Any = None, *, kind: str = "application/json; charset=utf-8", **more: Any) -> Received:
    given = body if isinstance(body, bytes) else b"" if body is None else jsonio.dumps(body)
    headers = [("x-event-type", "paid"), ("Authorization", "Bearer s3cret"), ("Content-Type", kind)]
    return Received(**{"method": "POST", "headers": headers, "query": [("page", "2")], "body": given, **more})


def test_each_declared_name_is_an_input_and_what_is_missing_null() -> None:
    found = inputs(webhook(), request({"order": {"id": 1}, "other": 2}))
    raw = found.pop("_webhook_raw")
    assert found == {"X_Event_Type": "paid", "x_trace": None, "page": 2, "all": None, "order": {"id": 1}, "tags": None}
    assert (raw["method"], raw["query_params"], raw["body"]) == ("POST", {"page": "2"}, {"order": {"id": 1}, "other": 2})
    assert raw["headers"]["x-event-type"] == "paid"
    assert "s3cret" not in str(raw)


@pytest.mark.parametrize(
    ("received", "told", "field"),
    [
        (
            request({"order": {}}, headers=[("Content-Type", "application/json")]),
            "header X-Event-Type is required",
            "X-Event-Type",
        ),
        (request({"order": {}}, query=[("page", "two")]), "page must be of the type number", "page"),
        (request({"order": {}}, query=[("all", "perhaps")]), "all must be of the type boolean", "all"),
        (request({}), "order is required", "order"),
        (request({"order": None}), "order is required", "order"),
        (request([1]), "order is required", "order"),
        (request({"order": "x"}), "order must be of the type object", "order"),
        (request({"order": {}, "tags": [1]}), r"tags must be of the type array\[string\]", "tags"),
        (request(b"{"), "no JSON", "body"),
        (request(b"[" * 100_000), "no JSON", "body"),
        (request({"order": {}}, kind="text/plain"), "takes application/json, not text/plain", "body"),
        (request({"order": {}}, kind=""), "without a content type", "body"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_in_words(received: Received, told: str, field: str) -> None:
    with pytest.raises(InvalidParam, match=told) as refusal:
        inputs(webhook(), received)
    assert refusal.value.params == field


def test_another_method_is_refused() -> None:
    with pytest.raises(InvalidParam, match="POST"):
        inputs(webhook(), request({"order": {}}, method="GET"))


def test_forms_are_read_as_the_declared_types() -> None:
    rows = [{"name": "n", "type": "number"}, {"name": "ok", "type": "boolean"}, {"name": "list", "type": "array[number]"}]
    found = inputs(webhook(content_type=URLENCODED, body=rows), request(b"n=1.5&ok=true&list=[1,2]", kind=URLENCODED))
    assert (found["n"], found["ok"], found["list"]) == (1.5, True, [1, 2])
    with pytest.raises(InvalidParam, match="fields"):
        inputs(webhook(content_type=URLENCODED, body=rows), request(b"&".join([b"a=1"] * 1001), kind=URLENCODED))


def test_files_of_a_form_are_inputs() -> None:
    rows = [{"name": "doc", "type": "file", "required": True}, {"name": "note"}]
    data = webhook(content_type=MULTIPART, body=rows)
    found = inputs(data, request(kind=f"{MULTIPART}; boundary=x", fields={"doc": file(), "note": "hi"}))
    assert (found["doc"], found["note"]) == (file(), "hi")
    with pytest.raises(InvalidParam, match="type file"):
        inputs(data, request(kind=MULTIPART, fields={"doc": "text"}))


def test_a_text_and_a_file_are_the_whole_body() -> None:
    found = inputs(webhook(content_type="text/plain", body=[{"name": "raw"}]), request("grüße".encode(), kind="text/plain"))
    assert found["raw"] == "grüße"
    data = webhook(content_type="application/octet-stream", body=[{"name": "raw", "type": "file", "required": True}])
    kind = "application/octet-stream"
    assert inputs(data, request(kind=kind, file=file()))["raw"] == file()
    with pytest.raises(InvalidParam, match="required"):
        inputs(data, request(kind=kind))


def test_a_body_stated_as_a_mapping_is_understood() -> None:
    data = webhook(body={"payload": {"type": "object", "required": True}})
    assert inputs(data, request({"payload": {"a": 1}}))["payload"] == {"a": 1}


@pytest.mark.parametrize(
    ("changes", "status", "body"),
    [
        ({}, 200, '{"status":"success","message":"Webhook processed successfully"}'),
        ({"status_code": 202, "response_body": '{"id": {{#hook.n#}}}'}, 202, '{"id": 7}'),
        ({"response_body": "got {{#hook.n#}}"}, 200, '{"message":"got 7"}'),
        ({"status_code": 99, "response_body": ""}, 200, None),
        ({"status_code": 500, "response_body": ""}, 200, None),
    ],
)
def test_the_caller_gets_the_configured_answer(changes: dict[str, Any], status: int, body: str | None) -> None:
    answer = response(webhook(**changes), "hook", {"n": 7})
    assert answer.status == status
    assert body is None or answer.body == body


async def test_runs_begin_at_triggers() -> None:
    end = {"outputs": [{"variable": "n", "value_selector": ["hook", "n"]}]}
    tree = graph(
        ("hook", "trigger-webhook", HOOK), ("clock", "trigger-schedule", {}), ("end", "end", end),
        edges=["hook -> end", "clock -> end"],
    )  # fmt: skip
    events = await events_of(tree, scripted(), inputs={"n": 7}, entry="hook")
    assert isinstance(events[-1], RunFinished)
    assert events[-1].outputs == {"n": 7}
    events = await events_of(tree, scripted(), entry="clock")
    assert {event.node_id: event.outputs for event in events if isinstance(event, NodeFinished)}["clock"] == {}


async def test_a_trigger_of_a_plugin_loads_and_does_not_fire() -> None:
    with pytest.raises(AppUnavailable, match="plug-ins"):
        await done("trigger-plugin", {"plugin_id": "a/b", "event_name": "e", "event_parameters": {}}, VariablePool())


def due(moment: str, **data: Any) -> str | None:
    found = next_after(msgspec.convert(data, TriggerScheduleData, strict=False), datetime.fromisoformat(moment))
    assert found is None or found.tzinfo is UTC
    return None if found is None else found.strftime("%Y-%m-%d %H:%M")


NINE = {"time": "9:00 AM"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"mode": "cron", "cron_expression": "*/5 * * * *"}, "2026-01-31 10:05"),
        ({"mode": "cron", "cron_expression": "0 10 * * *"}, "2026-02-01 10:00"),
        ({"mode": "cron", "cron_expression": "0 9 * * MON-FRI", "timezone": "Asia/Shanghai"}, "2026-02-02 01:00"),
        ({"mode": "cron", "cron_expression": "0 0 L * *"}, "2026-02-28 00:00"),
        ({"mode": "cron", "cron_expression": " @daily "}, "2026-02-01 00:00"),
        ({"mode": "cron", "cron_expression": "0 0 ? * 1"}, "2026-02-02 00:00"),
        ({"mode": "cron", "cron_expression": "0 0 29 2 *"}, "2028-02-29 00:00"),
        ({"frequency": "hourly", "visual_config": {"on_minute": 15}}, "2026-01-31 10:15"),
        ({"frequency": "daily", "visual_config": NINE}, "2026-02-01 09:00"),
        ({"frequency": "daily", "visual_config": {"time": "12:00 PM"}}, "2026-01-31 12:00"),
        ({"frequency": "daily", "visual_config": {"time": "21:30"}}, "2026-01-31 21:30"),
        ({"frequency": "weekly", "visual_config": {**NINE, "weekdays": ["tue", "fri"]}}, "2026-02-03 09:00"),
        ({"frequency": "monthly", "visual_config": {**NINE, "monthly_days": [31, "last"]}}, "2026-02-28 09:00"),
        ({"frequency": "monthly", "visual_config": {**NINE, "monthly_days": ["31"]}}, "2026-03-31 09:00"),
        ({}, "2026-02-01 00:00"),
    ],
)
def test_schedules_are_due(data: dict[str, Any], expected: str) -> None:
    assert due("2026-01-31T10:00:00+00:00", **data) == expected


def test_the_next_time_is_later_whatever_the_seconds() -> None:
    data = {"mode": "cron", "cron_expression": "0 10 * * *"}
    assert due("2026-01-31T09:59:59.9+00:00", **data) == "2026-01-31 10:00"
    assert due("2026-01-31T10:00:00.1+00:00", **data) == "2026-02-01 10:00"


def test_a_missing_hour_is_made_up_for_and_a_double_one_counts_once() -> None:
    berlin = {"mode": "cron", "cron_expression": "30 2 * * *", "timezone": "Europe/Berlin"}
    assert due("2026-03-28T12:00:00+00:00", **berlin) == "2026-03-29 01:00"
    assert due("2026-03-29T01:00:00+00:00", **berlin) == "2026-03-30 00:30"
    first = due("2026-10-24T12:00:00+00:00", **berlin)
    assert first == "2026-10-25 00:30"
    assert due("2026-10-25T00:30:00+00:00", **berlin) == "2026-10-26 01:30"


def test_an_interval_goes_on_through_a_double_hour() -> None:
    hourly = {"mode": "cron", "cron_expression": "0 * * * *", "timezone": "Europe/Berlin"}
    assert due("2026-10-25T00:00:00+00:00", **hourly) == "2026-10-25 01:00"
    assert due("2026-10-25T01:00:00+00:00", **hourly) == "2026-10-25 02:00"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"mode": "cron", "cron_expression": "61 * * * *"}, "cron_expression"),
        ({"mode": "cron", "cron_expression": "*/5 * * * * *"}, "cron_expression"),
        ({"mode": "cron", "cron_expression": ""}, "cron_expression"),
        ({"mode": "cron", "cron_expression": "0 0 30 2 *"}, "cron_expression"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"visual_config": {"time": "25:00"}}, "visual_config.time"),
        ({"visual_config": {"time": "0:30 PM"}}, "visual_config.time"),
        ({"visual_config": {"time": "noon"}}, "visual_config.time"),
        ({"frequency": "hourly", "visual_config": {"on_minute": 60}}, "visual_config.on_minute"),
        ({"frequency": "weekly", "visual_config": {"weekdays": []}}, "visual_config.weekdays"),
        ({"frequency": "weekly", "visual_config": {"weekdays": ["someday"]}}, "visual_config.weekdays"),
        ({"frequency": "monthly", "visual_config": {"monthly_days": [32]}}, "visual_config.monthly_days"),
        ({"frequency": "monthly", "visual_config": {"monthly_days": ["x"]}}, "visual_config.monthly_days"),
    ],
)
def test_a_schedule_that_is_none_names_its_field(data: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParam) as refusal:
        due("2026-01-31T10:00:00+00:00", **data)
    assert refusal.value.params == field
