"""Forms by e-mail: one letter to each who is named, with the page's address, and not once more when a crash asks again."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail

from difyproj.infra import jobs
from difyproj.kernel import ids
from difyproj.testing.cast import Cast
from difyproj.testing.mailbox import letters_to, link_for
from workflows.engine.node import Form
from workflows.services import form_mail, forms

from .rows import graph_app, run_of

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
