"""Conversation variables: begun with defaults, changed by runs and callers, seen by their own conversation only."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models import Conversation, EndUser
from difyproj.kernel import ids
from difyproj.kernel.errors import BadRequest, InvalidParam, NotFound
from difyproj.testing.cast import Cast, Person
from difyproj.testing.queries import counted
from difyproj.testing.served import Served, make_app
from workflows.models import ConversationVariable
from workflows.services import conversation_variables

DEFINITIONS: list[dict[str, Any]] = [
    {"id": str(ids.new_id()), "name": "topic", "value_type": "string", "value": "rain", "description": "What about."},
    {"id": str(ids.new_id()), "name": "count", "value_type": "number", "value": 0},
    {"id": str(ids.new_id()), "name": "seen", "value_type": "array[string]", "value": ["a"]},
]


def conversation_of(person: Person, **fields: Any) -> Conversation:
    app = make_app(person, "advanced-chat").app
    return Conversation.objects.create(tenant=person.tenant, app=app, mode=app.mode, tier="service-api", **fields)


def begun(person: Person) -> Conversation:
    made = conversation_of(person)
    conversation_variables.begin(made.pk, DEFINITIONS)
    return made


def test_a_conversation_begins_with_the_defaults_and_keeps_what_it_has(alice: Person) -> None:
    talk = conversation_of(alice)
    with counted() as statements:
        found = conversation_variables.values(talk.pk, DEFINITIONS[:2])
    assert (found, len(statements)) == ({"topic": "rain", "count": 0}, 2)
    conversation_variables.store(talk.pk, {"topic": "snow"})
    again = conversation_variables.values(talk.pk, DEFINITIONS)
    assert again == {"topic": "snow", "count": 0, "seen": ["a"]}
    with counted() as statements:
        assert conversation_variables.values(talk.pk, DEFINITIONS) == again
    assert len(statements) == 1


def test_what_a_run_assigned_is_stored_at_once(alice: Person) -> None:
    talk, other = begun(alice), begun(alice)
    with counted() as statements:
        conversation_variables.store(talk.pk, {"topic": "a\0b", "count": 4.5, "seen": []})
    assert len(statements) == 1
    rows = ConversationVariable.objects.filter(conversation=talk)
    assert {row.name: row.value for row in rows} == {"topic": "ab", "count": 4.5, "seen": []}
    assert {row.value_type for row in rows} == {"string", "number", "array[string]"}
    assert conversation_variables.values(other.pk, [])["topic"] == "rain"


def test_variables_are_listed_as_they_were_declared_page_by_page(alice: Person) -> None:
    talk = begun(alice)
    names, last = [], None
    while True:
        window = conversation_variables.window(talk, last_id=last, limit=1)
        names += [row.name for row in window.rows]
        if not window.has_more:
            break
        last = str(window.rows[-1].variable_id)
    assert names == ["topic", "count", "seen"]
    (only,) = conversation_variables.window(talk, last_id=None, limit=9, variable_name="count").rows
    assert only.name == "count"


@pytest.mark.parametrize(("index", "value"), [(0, 5), (0, {"a": 1}), (0, None), (1, "3"), (1, True), (2, [1]), (2, "[]")])
def test_a_value_of_another_type_is_refused_and_changes_nothing(alice: Person, index: int, value: Any) -> None:
    talk, variable = begun(alice), DEFINITIONS[index]
    with pytest.raises(BadRequest):
        conversation_variables.update(talk, variable["id"], value=value)
    assert conversation_variables.values(talk.pk, [])[variable["name"]] == variable["value"]


def test_variables_of_other_conversations_are_not_found(cast: Cast) -> None:
    mine, other, theirs = begun(cast.alice), conversation_of(cast.alice), conversation_of(cast.eve)
    for talk in (other, theirs):
        with pytest.raises(NotFound):
            conversation_variables.update(talk, DEFINITIONS[0]["id"], value="x")
        with pytest.raises(InvalidParam):
            conversation_variables.window(talk, last_id=DEFINITIONS[0]["id"], limit=1)
    assert conversation_variables.values(mine.pk, [])["topic"] == "rain"
    assert not ConversationVariable.objects.visible_to(cast.eve.principal).exists()
    assert ConversationVariable.objects.visible_to(cast.alice.principal).count() == 3


async def test_the_service_api_lists_and_changes_them(house: Served) -> None:
    key = await sync_to_async(make_app)(house.cast.alice, "advanced-chat")

    def furnish() -> Conversation:
        user = EndUser.objects.create(tenant=key.app.tenant, app=key.app, type="service-api", session_id="u1")
        owned: dict[str, Any] = {"tenant": key.app.tenant, "app": key.app, "mode": "advanced-chat", "tier": "service-api"}
        made = Conversation.objects.create(**owned, end_user=user)
        conversation_variables.begin(made.pk, DEFINITIONS)
        return made

    path = f"/v1/conversations/{(await sync_to_async(furnish)()).pk}/variables"
    listed = (await house.call("GET", path, key=key, params={"user": "u1", "limit": "2"})).json()
    assert listed["has_more"] is True
    assert [(item["id"], item["value"]) for item in listed["data"]] == [
        (DEFINITIONS[0]["id"], "rain"), (DEFINITIONS[1]["id"], "0"),
    ]  # fmt: skip
    changed = await house.call("PUT", f"{path}/{DEFINITIONS[2]['id']}", key=key, json={"user": "u1", "value": ["b", "c"]})
    assert (changed.status, changed.json()["value"]) == (200, '["b","c"]')
    refused = await house.call("PUT", f"{path}/{DEFINITIONS[1]['id']}", key=key, json={"user": "u1", "value": "x"})
    assert (refused.status, refused.json()["code"]) == (400, "bad_request")
    for stranger, user in ((key, "u2"), (house.foreign, "u1")):
        given = {"user": user, "value": 1}
        assert (await house.call("PATCH", f"{path}/{DEFINITIONS[1]['id']}", key=stranger, json=given)).status == 404
