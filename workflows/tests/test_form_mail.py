"""Forms by e-mail: one letter to each who is named, with the page's address, and not once more when a crash asks again."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import sync_to_async
from django.core import mail

from difyproj.infra import jobs
from difyproj.kernel import ids
from difyproj.testing.cast import Cast
from difyproj.testing.console import signed_in
from difyproj.testing.flows import ASKING, make_flow
from difyproj.testing.mailbox import letters_to, link_for
from difyproj.testing.served import Served
from workflows.engine.node import Form
from workflows.models import HumanInputForm
from workflows.services import form_mail, forms

from .rows import graph_app, run_of
from .test_form_page import ended

ANN = {"type": "external", "email": "ann@there.example"}


def asked(items: Any, **config: Any) -> forms.Asked:
    stated = {
        "recipients": {"items": items, **config.pop("recipients", {})},
        "subject": "Please\nlook",
        "body": "Here:\n\n{{#url#}}\n",
    }
    delivery = [{"id": "1", "type": "email", "enabled": True, "config": {**stated, **config}}]
    return forms.Asked("ask", ids.new_id(), Form("Well?", delivery=delivery, expires_in=60.0), title="Ask")


def recipients() -> list[str]:
    jobs.run_waiting()
    return sorted(address for letter in mail.outbox for address in letter.to)


def test_a_letter_leads_to_the_page_and_is_sent_once(cast: Cast, settings: Any) -> None:
    settings.PUBLIC_URL = "https://ai.example"
    run, question = run_of(graph_app(cast.alice), status="paused").run, asked([ANN, ANN])
    ((_, token),) = forms.create(run, [question])
    forms.create(run, [question])
    (letter,) = letters_to("ann@there.example")
    assert letter.subject == "Please look"
    assert link_for("ann@there.example") == f"https://ai.example/form/{token}"
    assert forms.get(token).definition["delivery"][0]["type"] == "email"


def test_members_are_found_by_their_accounts_and_strangers_are_not(cast: Cast) -> None:
    run = run_of(graph_app(cast.alice), status="paused").run
    people = [{"type": "member", "user_id": str(person.account.pk)} for person in (cast.bob, cast.eve)]
    forms.create(
        run, [asked([*people, {"type": "member", "user_id": "nobody"}, {"type": "external", "email": "no address"}, 7])]
    )
    assert recipients() == [cast.bob.account.email]


def test_a_letter_of_a_form_that_is_tried_out_goes_to_its_author(cast: Cast) -> None:
    run = run_of(graph_app(cast.alice), status="paused").run
    run.account_id = cast.alice.account.pk
    forms.create(run, [asked([ANN], debug_mode=True)])
    assert recipients() == [cast.alice.account.email]


@pytest.mark.parametrize("most", [20, 3])
def test_a_form_and_a_day_have_so_many_letters(cast: Cast, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(form_mail, "RATE", f"{most}/d")
    run = run_of(graph_app(cast.alice), status="paused").run
    forms.create(run, [asked([{"type": "external", "email": f"p{number}@there.example"} for number in range(30)])])
    assert len(recipients()) == most


@pytest.mark.parametrize(
    "config", [{"recipients": None}, {"recipients": {"items": 5}}, {"body": "", "subject": None}, {"body": "\ud800\0"}]
)
def test_a_form_is_made_whatever_its_letter_says(cast: Cast, config: dict[str, Any]) -> None:
    run = run_of(graph_app(cast.alice), status="paused").run
    question = asked([ANN])
    question.form.delivery[0]["config"].update(config)
    ((row, token),) = forms.create(run, [question])
    assert forms.get(token).pk == row.pk
    letters = letters_to("ann@there.example")
    assert len(letters) == (0 if "recipients" in config else 1)
    assert all(f"/form/{token}" in str(letter.body) for letter in letters)


async def test_a_run_that_pauses_writes_to_people_and_goes_on_by_the_page(house: Served) -> None:
    graph = copy.deepcopy(ASKING)
    (question,) = [node["data"] for node in graph["nodes"] if node["data"]["type"] == "human-input"]
    config = {"recipients": {"items": [ANN]}, "subject": "Is {{#start.word#}} right?", "body": "See\n\n{{#url#}}\n"}
    question["delivery_methods"] = [{"id": "1", "type": "email", "enabled": True, "config": config}]
    key = await sync_to_async(make_flow)(house.cast.alice, graph)
    sent = {"inputs": {"word": "hello"}, "user": "u1"}
    body = (await house.call("POST", "/v1/workflows/run", key=key, json=sent)).json()
    assert body["data"]["status"] == "paused"
    (letter,) = await sync_to_async(letters_to)("ann@there.example")
    assert letter.subject == "Is hello right?"
    path = urlsplit(await sync_to_async(link_for)("ann@there.example")).path
    answer = await house.call("POST", path, data={"action": "yes", "field.note": "Fine"}, headers={"Authorization": ""})
    assert answer.status == 200
    assert await ended(body["task_id"]) == "succeeded"


async def test_an_author_tries_the_letter_out(house: Served, settings: Any) -> None:
    settings.PUBLIC_URL = house.url
    graph = copy.deepcopy(ASKING)
    config = {"recipients": {"items": [ANN]}, "subject": "Look", "body": "{{#start.word#}}: {{#url#}}"}
    graph["nodes"][1]["data"]["delivery_methods"] = [{"id": "m1", "type": "email", "enabled": True, "config": config}]
    key, bob = await sync_to_async(make_flow)(house.cast.alice, graph), await signed_in(house, house.cast.bob)
    place = f"/apps/{key.app.pk}/workflows/draft/human-input/nodes/ask/delivery-test"
    sent = await bob.post(place, {"delivery_method_id": "m1", "inputs": {"start.word": "Tea"}})
    assert (sent.status, sent.json()) == (200, {})
    assert (await bob.post(place, {"delivery_method_id": "m2"})).json()["params"] == "delivery_method_id"
    assert await sync_to_async(recipients)() == [house.cast.bob.account.email]
    assert mail.outbox[0].body.startswith("Tea: ")
    page = urlsplit(mail.outbox[0].body.split()[-1]).path
    shown = await house.call("GET", page, headers={"Authorization": ""})
    assert shown.status == 200 and b"Is this right? Tea" in shown.body
    for action, status, told in (("maybe", 400, b"must be one of"), ("yes", 200, b"This was a test")):
        answer = await house.call("POST", page, data={"action": action, "field.note": "Fine"}, headers={"Authorization": ""})
        assert answer.status == status and told in answer.body
    assert not await HumanInputForm.objects.aexists()
    assert (await house.call("GET", f"{page}x", headers={"Authorization": ""})).status == 404
