"""Conversation variables: chat apps have none, and say so in the contract's words."""

from __future__ import annotations

import pytest

from difyproj.testing.served import Served

from .contract import UNKNOWN_ID, assert_error


async def begin(house: Served) -> str:
    body = (await house.ask(response_mode="blocking")).json()
    return f"/v1/conversations/{body['conversation_id']}/variables"


async def test_a_chat_has_no_variables(house: Served) -> None:
    path = await begin(house)
    for params in ({}, {"limit": "5"}, {"variable_name": "x"}, {"last_id": ""}):
        answer = await house.call("GET", path, params={"user": "u1", **params})
        assert (answer.status, answer.json()["data"], answer.json()["has_more"]) == (200, [], False)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"variable_name": "x" * 256}, "variable_name"),
        ({"last_id": "x"}, "last_id"),
    ],
)
async def test_wrong_parameters_are_refused(house: Served, params: dict[str, str], field: str) -> None:
    path = await begin(house)
    assert_error(await house.call("GET", path, params={"user": "u1", **params}), 400, "invalid_param", params=field)


async def test_an_unknown_cursor_is_a_wrong_parameter(house: Served) -> None:
    path = await begin(house)
    answer = await house.call("GET", path, params={"user": "u1", "last_id": UNKNOWN_ID})
    assert_error(answer, 400, "invalid_param", params="last_id")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_no_variable_can_be_set_by_either_method(house: Served, method: str) -> None:
    path = await begin(house)
    for value in (1, "x", None, {"a": [1]}):
        answer = await house.call(method, f"{path}/{UNKNOWN_ID}", json={"user": "u1", "value": value})
        assert_error(answer, 404, "not_found")
    assert_error(await house.call(method, f"{path}/no-uuid", json={"user": "u1", "value": 1}), 404, "not_found")
    assert_error(await house.call(method, f"{path}/{UNKNOWN_ID}", json={"user": "u1"}), 400, "invalid_param", params="value")


async def test_strangers_do_not_even_learn_that(house: Served) -> None:
    path = await begin(house)
    for key, user in ((house.chat, "u2"), (house.foreign, "u1")):
        assert_error(await house.call("GET", path, key=key, params={"user": user}), 404, "not_found")
        answer = await house.call("PUT", f"{path}/{UNKNOWN_ID}", key=key, json={"user": user, "value": 1})
        assert_error(answer, 404, "not_found")
