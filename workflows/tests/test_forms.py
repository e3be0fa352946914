"""Forms: asked once, answered once by whoever has the token, refused twice, expired when their time is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.services import data_keys
from apps.models import Run
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import HumanInputFormExpired, HumanInputFormSubmitted, InvalidFormData, NotFound
from difyproj.testing.cast import Cast, Person
from workflows.engine.node import Form, FormAnswer
from workflows.models import HumanInputForm
from workflows.services import forms

from .rows import graph_app, run_of

CONTENT = "Hello {{#$output.name#}}, {{#$output.colour#}}?"
FIELDS: list[dict[str, Any]] = [
    {"type": "paragraph", "output_variable_name": "name"},
    {"type": "select", "output_variable_name": "colour", "option_source": {"type": "constant", "value": ["red", "blue"]}},
]
ACTIONS = [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}]
GOOD: dict[str, Any] = {"name": "Ann", "colour": "red"}


def asked(node_id: str = "ask", *, fields: Any = FIELDS, expires_in: float = 60.0) -> forms.Asked:
    form = Form(CONTENT, inputs=fields, actions=ACTIONS, expires_in=expires_in)
    return forms.Asked(node_id, ids.new_id(), form, title="Ask")


def paused(person: Person) -> Run:
    return run_of(graph_app(person), status="paused").run


def one(person: Person, **options: Any) -> tuple[HumanInputForm, str]:
    (made,) = forms.create(paused(person), [asked(**options)])
    return made


def test_only_the_hash_of_a_token_is_kept_in_the_clear(alice: Person) -> None:
    row, token = one(alice)
    assert len(token) >= 40
    assert token not in str(HumanInputForm.objects.filter(pk=row.pk).values().get())
    kept = forms.get(token)
    assert (kept.pk, kept.node_id, kept.definition["content"]) == (row.pk, "ask", CONTENT)
    assert forms.token_of(kept) == token
    assert timedelta(seconds=55) < kept.expires_at - clock.now() <= timedelta(seconds=60)
    data_keys.renew(alice.tenant.pk)
    assert forms.token_of(forms.get(token)) == token


def test_asking_again_after_a_crash_finds_the_same_form(alice: Person) -> None:
    run, first, second = paused(alice), asked(), asked("other")
    (row, token), *_ = forms.create(run, [first])
    again = forms.create(run, [first, second])
    assert again[0][0].pk == row.pk
    assert again[0][1] == token != again[1][1]
    assert HumanInputForm.objects.filter(run=run).count() == 2


def test_a_form_is_answered_once_and_refused_twice(cast: Cast) -> None:
    row, token = one(cast.alice)
    done = forms.submit(token, action="yes", inputs={**GOOD, "more": 1}, account_id=cast.bob.account.pk)
    kept = HumanInputForm.objects.get(pk=row.pk)
    assert (done.pk, kept.status, kept.action_id, kept.values) == (row.pk, "submitted", "yes", GOOD)
    assert (kept.submitted_by_account_id, kept.submitted_by_end_user_id) == (cast.bob.account.pk, None)
    for refused in (lambda: forms.submit(token, action="no", inputs=GOOD), lambda: forms.get(token)):
        with pytest.raises(HumanInputFormSubmitted):
            refused()
    assert HumanInputForm.objects.get(pk=row.pk).action_id == "yes"
    assert forms.token_of(kept) == ""
    answer = FormAnswer(action_id="yes", values=GOOD, rendered_content="Hello Ann, red?")
    assert forms.answers_of(row.run_id) == {str(row.execution_id): answer}


def test_of_many_at_once_one_is_taken(alice: Person) -> None:
    row, token = one(alice)

    def submit(number: int) -> str:
        try:
            return forms.submit(token, action="yes", inputs={**GOOD, "name": str(number)}).values["name"]
        except HumanInputFormSubmitted:
            return ""
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        taken = [name for name in threads.map(submit, range(8)) if name]
    assert [HumanInputForm.objects.get(pk=row.pk).values["name"]] == taken


@pytest.mark.parametrize(
    ("action", "inputs", "field"),
    [
        ("maybe", GOOD, "action"),
        (None, GOOD, "action"),
        ("", GOOD, "action"),
        ("yes", [], "inputs"),
        ("yes", {"name": "Ann"}, "inputs.colour"),
        ("yes", {**GOOD, "colour": "green"}, "inputs.colour"),
        ("yes", {**GOOD, "colour": ["red"]}, "inputs.colour"),
        ("yes", {**GOOD, "name": 5}, "inputs.name"),
        ("yes", {**GOOD, "name": "x" * 100_001}, "inputs.name"),
    ],
)
def test_an_answer_that_does_not_fit_leaves_the_form_open(alice: Person, action: Any, inputs: Any, field: str) -> None:
    row, token = one(alice)
    with pytest.raises(InvalidFormData) as refused:
        forms.submit(token, action=action, inputs=inputs)
    assert refused.value.params == field
    assert HumanInputForm.objects.get(pk=row.pk).status == "waiting"
    assert forms.submit(token, action="yes", inputs=GOOD).status == "submitted"


PICTURE = {"type": "image", "transfer_method": "local_file", "upload_file_id": "x"}
FILE_FIELD = {"type": "file", "output_variable_name": "f", "allowed_file_types": ["image"]}
FILES_FIELD = {**FILE_FIELD, "type": "file-list", "number_limits": 1, "allowed_file_upload_methods": ["local_file"]}


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        (FILE_FIELD, PICTURE, True),
        (FILE_FIELD, {**PICTURE, "type": "audio"}, False),
        (FILE_FIELD, {"type": "image"}, False),
        (FILE_FIELD, "x", False),
        (FILES_FIELD, [PICTURE], True),
        (FILES_FIELD, [], True),
        (FILES_FIELD, [PICTURE, PICTURE], False),
        (FILES_FIELD, [{**PICTURE, "transfer_method": "remote_url"}], False),
        (FILES_FIELD, PICTURE, False),
    ],
)
def test_files_are_checked_by_what_the_field_allows(alice: Person, field: dict[str, Any], value: Any, fits: bool) -> None:
    row, token = one(alice, fields=[field])
    if fits:
        assert forms.submit(token, action="no", inputs={"f": value}).values == {"f": value}
        return
    with pytest.raises(InvalidFormData):
        forms.submit(token, action="no", inputs={"f": value})
    assert HumanInputForm.objects.get(pk=row.pk).status == "waiting"


def test_a_form_whose_time_is_over_expires_once(alice: Person) -> None:
    row, token = one(alice, expires_in=60.0)
    later, _ = one(alice, expires_in=0.0)
    HumanInputForm.objects.filter(pk=row.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    for refused in (lambda: forms.get(token), lambda: forms.submit(token, action="yes", inputs=GOOD)):
        with pytest.raises(HumanInputFormExpired):
            refused()
    (expired,) = forms.expire_due()
    assert (expired.pk, expired.run.pk, expired.status) == (row.pk, row.run_id, "expired")
    assert forms.expire_due() == []
    assert set(HumanInputForm.objects.waiting()) == {later}
    with pytest.raises(HumanInputFormExpired):
        forms.get(token)
    assert forms.answers_of(row.run_id)[str(row.execution_id)].expired_at > 0


def test_nobody_is_asked_for_a_run_that_ended(alice: Person) -> None:
    row, token = one(alice)
    assert forms.close(row.run_id) == 1
    with pytest.raises(HumanInputFormExpired):
        forms.submit(token, action="yes", inputs=GOOD)


def test_forms_of_other_apps_and_tenants_are_not_found(cast: Cast) -> None:
    row, token = one(cast.alice)
    others = [graph_app(cast.alice).pk, graph_app(cast.eve).pk]
    for app_id in others:
        with pytest.raises(NotFound):
            forms.get(token, app_id=app_id)
        with pytest.raises(NotFound):
            forms.submit(token, action="yes", inputs=GOOD, app_id=app_id)
    for unknown in ("", "x", token + "\0", "\ud800"):
        with pytest.raises(NotFound):
            forms.get(unknown)
    assert forms.get(token, app_id=row.app_id).pk == row.pk
    assert not HumanInputForm.objects.visible_to(cast.eve.principal).exists()
