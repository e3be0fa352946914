"""The page of a form: a stranger with its address fills it once; everybody else, and everything else, is told why not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models import Run, RunStatus
from difyproj.kernel import clock, ids
from difyproj.kernel.logs import ACCESS_LOGGERS
from difyproj.testing.flows import ASKING, make_flow
from difyproj.testing.served import Answer, Key, Served
from workflows.engine.node import Form
from workflows.models import HumanInputForm
from workflows.services import forms

from .rows import graph_app, run_of

YES = {"action": "yes", "field.note": "Fine\r\nby me"}
ACTIONS = [{"id": "yes", "title": "Yes", "button_style": "primary"}]
NOTE = {"type": "paragraph", "output_variable_name": "note"}


@pytest.fixture
async def asking(house: Served) -> Key:
    return await sync_to_async(make_flow)(house.cast.alice, ASKING)


async def paused(house: Served, key: Key) -> tuple[str, str]:
    """A run that waits, and the token of its form."""
    sent = {"inputs": {"word": "<b>hello</b>"}, "user": "u1"}
    body = (await house.call("POST", "/v1/workflows/run", key=key, json=sent)).json()
    return body["task_id"], body["data"]["reasons"][0]["form_token"]


async def ended(run_id: str) -> str:
    for _ in range(200):
        run = await Run.objects.aget(pk=run_id)
        if run.status not in (RunStatus.RUNNING, RunStatus.PAUSED):
            return str(run.status)
        await asyncio.sleep(0.02)
    raise AssertionError("the run goes on and on")


async def asked(house: Served, **parts: Any) -> str:
    """The token of a form that waits, of a run that is nowhere."""

    def make() -> str:
        form = Form(**{"content": "Well?", "inputs": [NOTE], "actions": ACTIONS, "expires_in": 60.0, **parts})
        run = run_of(graph_app(house.cast.alice), status="paused").run
        ((_, token),) = forms.create(run, [forms.Asked("ask", ids.new_id(), form, title="<i>Ask</i>")])
        return token

    return await sync_to_async(make)()


async def show(house: Served, token: str, method: str = "GET", **sent: Any) -> Answer:
    headers = {"Authorization": "", **sent.pop("headers", {})}
    answer = await house.call(method, f"/form/{token}", headers=headers, **sent)
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer


async def send(house: Served, token: str, fields: Mapping[str, str] = YES, **sent: Any) -> Answer:
    return await show(house, token, "POST", data=dict(fields), **sent)


def text(answer: Answer) -> str:
    return answer.body.decode()


async def test_a_stranger_fills_the_form_once_and_the_run_ends(house: Served, asking: Key) -> None:
    run_id, token = await paused(house, asking)
    page = await show(house, token)
    assert page.status == 200 and "no-store" in page.headers["Cache-Control"]
    shown = text(page)
    assert "Is this right? &lt;b&gt;hello&lt;/b&gt;" in shown
    assert 'name="field.note"' in shown and "\nFine</textarea>" in shown and "{{#$output" not in shown
    assert shown.index("Is this right?") < shown.index("<textarea") < shown.index('name="action" value="yes">Yes')
    thanks = await send(house, token, headers={"Origin": house.url})
    assert (thanks.status, "Thank you" in text(thanks)) == (200, True)
    assert await ended(run_id) == "succeeded"
    row = await HumanInputForm.objects.aget(run_id=run_id)
    assert (row.status, row.action_id, row.values) == ("submitted", "yes", {"note": "Fine\nby me"})
    for again in (await send(house, token, {"action": "no", "field.note": "Or not"}), await show(house, token)):
        assert (again.status, "Already answered" in text(again)) == (410, True)
    assert (await HumanInputForm.objects.aget(run_id=run_id)).action_id == "yes"


async def test_a_form_of_a_stopped_run_and_one_whose_time_is_over_are_gone(house: Served, asking: Key) -> None:
    run_id, token = await paused(house, asking)
    await house.call("POST", f"/v1/workflows/tasks/{run_id}/stop", key=asking, json={"user": "u1"})
    late = await asked(house)
    await HumanInputForm.objects.waiting().aupdate(expires_at=clock.now() - timedelta(seconds=1))
    for gone in (token, late):
        for answer in (await show(house, gone), await send(house, gone)):
            assert (answer.status, "Too late" in text(answer)) == (410, True)
    assert not await HumanInputForm.objects.filter(status="submitted").aexists()


@pytest.mark.parametrize("token", ["nonsense", "x" * 3000, "%00", "%ED%A0%80", "%FF", "<script>", "..%2f..%2fadmin"])
async def test_unknown_tokens_are_not_found(house: Served, token: str) -> None:
    answer = await house.call("GET", f"/form/{token}")
    assert answer.status == 404
    assert b"<script>" not in answer.body


async def test_an_answer_that_does_not_fit_is_shown_beside_its_field_with_what_was_typed(house: Served) -> None:
    colour = {"type": "select", "output_variable_name": "colour", "option_source": {"value": ["red", "blue"]}}
    short = {"type": "text-input", "output_variable_name": "name", "max_length": 3}
    token = await asked(house, inputs=[colour, short, NOTE])
    refused = await send(house, token, {"action": "yes", "field.colour": "blue", "field.name": 'A"><nn', "field.note": "Kept"})
    shown = text(refused)
    assert refused.status == 400
    assert '<option value="blue" selected>' in shown and "\nKept</textarea>" in shown
    assert 'value="A&quot;&gt;&lt;nn" maxlength="3" aria-invalid="true"' in shown
    assert "name must be at most 3 characters." in shown
    no_action = await send(house, token, {"field.colour": "blue", "field.name": "Ann", "field.note": ""})
    assert (no_action.status, "The action must be one of: yes." in text(no_action)) == (400, True)
    green = await send(house, token, {"action": "yes", "field.colour": "green", "field.name": "Ann", "field.note": ""})
    assert (green.status, "colour is none of the options." in text(green)) == (400, True)
    assert await HumanInputForm.objects.waiting().acount() == 1


async def test_numbers_and_checkboxes_are_taken_as_such(house: Served) -> None:
    fields = [{"type": "number", "output_variable_name": "n"}, {"type": "checkbox", "output_variable_name": "sure"}]
    token = await asked(house, inputs=fields)
    assert "n must be a number." in text(await send(house, token, {"action": "yes", "field.n": "many"}))
    assert (await send(house, token, {"action": "yes", "field.n": "2.5"})).status == 200
    assert (await HumanInputForm.objects.aget()).values == {"n": 2.5, "sure": False}


HOSTILE = """# <script>alert(1)</script>
<img src=x onerror=alert(1)> [a](javascript:alert(1)) [b](https://there.example/ "\\" onclick=alert(1)")
![seen](https://spy.example/pixel.gif) [c]({{#$output.note#}}) `{{#$output.note#}}`
"""


async def test_texts_of_others_do_nothing_on_the_page(house: Served) -> None:
    evil = '"></textarea><script>alert(2)</script>'
    options = {"type": "select", "output_variable_name": "pick", "option_source": {"value": [evil]}}
    labelled = {**NOTE, "label": evil}
    actions = [{"id": evil, "title": evil, "button_style": evil}]
    token = await asked(house, content=HOSTILE, inputs=[labelled, options], actions=actions, defaults={"note": evil})
    answer = await show(house, token)
    shown = text(answer)
    for harm in ("<script", "<img", 'href="javascript', '" onclick', "<i>Ask"):
        assert harm not in shown, harm
    assert 'rel="nofollow noopener noreferrer"' in shown
    assert shown.count("<textarea") == 1 and "<code>{{#$output.note#}}</code>" in shown
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'none'" in policy and "style-src 'self';" in policy + ";" and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "content", ["[" * 40_000, "> " * 20_000, "*_" * 20_000, "`" * 49_999, "{{#$output." * 4000, "|a" * 20_000]
)
async def test_texts_that_are_made_to_be_slow_are_shown_soon(house: Served, content: str) -> None:
    token = await asked(house, content=content)
    async with asyncio.timeout(8):
        assert (await show(house, token)).status == 200


async def test_files_cannot_be_given_here_yet(house: Served) -> None:
    token = await asked(house, inputs=[{"type": "file", "output_variable_name": "f"}, NOTE])
    page, refused = await show(house, token), await send(house, token)
    assert (page.status, refused.status) == (200, 400)
    for answer in (page, refused):
        assert "asks for files" in text(answer) and "<button" not in text(answer)
    assert await HumanInputForm.objects.waiting().acount() == 1


async def test_other_pages_cannot_send_the_form(house: Served) -> None:
    token = await asked(house)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Referer": "http://[evil/"}):
        assert (await send(house, token, headers=headers)).status == 403
    assert await HumanInputForm.objects.waiting().acount() == 1
    assert (await send(house, token, headers={"Referer": f"{house.url}/form/{token}"})).status == 200


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        ("application/json", b"{"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"--a\r\nContent-Disposition: form-data; name=action\r\n"),
        ("application/x-www-form-urlencoded; charset=latin-1", b"action=yes"),
        ("application/x-www-form-urlencoded", b"action=%FF%00&field.note=%00"),
        ("application/x-www-form-urlencoded", b"a=b&" * 2000),
        ("application/x-www-form-urlencoded", b"action=" + b"x" * 3_000_000),
        ("", b""),
    ],
)
async def test_bodies_of_no_form_are_refused_and_no_token_is_written_down(
    house: Served, caplog: pytest.LogCaptureFixture, type_: str, body: bytes
) -> None:
    token = await asked(house)
    with caplog.at_level(logging.DEBUG, logger="django.request"):
        answer = await show(house, token, "POST", data=body, headers={"Content-Type": type_} if type_ else {})
        assert (await show(house, token, "DELETE")).status == 405
    assert answer.status in (400, 413)
    written = [record.getMessage() for record in caplog.records if record.name not in ACCESS_LOGGERS]
    assert not [line for line in written if token in line]
    assert await HumanInputForm.objects.waiting().acount() == 1


async def test_who_guesses_is_slowed_down(house: Served, settings: Any) -> None:
    settings.WEB_PASSPORT_RATE = "2/m"
    statuses = [(await show(house, "nonsense")).status for _ in range(3)]
    assert statuses == [404, 404, 429]
    answer = await show(house, await asked(house))
    assert answer.status == 429 and int(answer.headers["Retry-After"]) > 0


async def test_the_tiers_do_not_write_the_token_down_either(house: Served, caplog: pytest.LogCaptureFixture) -> None:
    token = await asked(house)
    with caplog.at_level(logging.INFO):
        assert (await house.call("GET", f"/api/form/human_input/{token}", headers={"Authorization": ""})).status == 200
    lines = [str(vars(record)) for record in caplog.records if record.name not in ACCESS_LOGGERS]
    assert any("/api/form/human_input/***" in line for line in lines)
    assert not [line for line in lines if token in line]
