"""A caller's sampling options: passed on where the app's model takes them, within its rules and the app's own limits."""

from __future__ import annotations

from typing import Any

import pytest

from apps.generation.parameters import over
from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime import catalogue
from difyproj.testing.served import Served

from .openai_client import USER, client_of, complete

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


async def test_options_go_to_the_model_and_the_apps_own_stay_where_nothing_is_said(house: Served) -> None:
    params = {"temperature": 0.2, "top_p": 0.5, "stop": ["END"], "max_tokens": 100}
    model = {"provider": "openai", "name": "gpt-4o-mini", "mode": "chat", "completion_params": params}
    await house.configure(house.chat, model=model)
    async with client_of(house) as client:
        await client.chat.completions.create(
            model="x",
            messages=[USER],
            temperature=1.5,
            presence_penalty=0.5,
            frequency_penalty=-1,
            seed=7,
            stop=["STOP", "END"],
            max_completion_tokens=50,
        )
    body = house.upstream.last.body
    names = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop", "max_completion_tokens")
    assert {name: body[name] for name in names} == {
        "temperature": 1.5, "top_p": 0.5, "presence_penalty": 0.5, "frequency_penalty": -1, "seed": 7, "stop": ["END", "STOP"],
        "max_completion_tokens": 50,
    }  # fmt: skip
    await complete(house, max_tokens=5000)
    assert house.upstream.last.body["max_completion_tokens"] == 100, "never more than the app's own limit"
    assert house.upstream.last.body["temperature"] == 0.2


async def test_a_json_answer_is_asked_for_with_and_without_a_schema(house: Served) -> None:
    wrapped: Any = {"name": "thing", "schema": SCHEMA, "strict": True}
    async with client_of(house) as client:
        await client.chat.completions.create(
            model="x",
            messages=[USER],
            response_format={"type": "json_schema", "json_schema": wrapped},
        )
        assert house.upstream.last.body["response_format"] == {"type": "json_schema", "json_schema": wrapped}
        await client.chat.completions.create(model="x", messages=[USER], response_format={"type": "json_object"})
        assert house.upstream.last.body["response_format"] == {"type": "json_object"}
        await client.chat.completions.create(model="x", messages=[USER], response_format={"type": "text"})
        assert "response_format" not in house.upstream.last.body


DEMO = catalogue.facts("demo", "demo")
OPENAI = catalogue.facts("openai", "gpt-4o-mini")


@pytest.mark.parametrize(
    ("own", "wanted", "chosen"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"temperature": 1}, {"a": 1, "temperature": 1}),
        ({}, {"top_p": 0.1, "seed": 1}, {}),
        ({}, {"stop": "x"}, {"stop": ["x"]}),
        ({"stop": "x"}, {"stop": ["y", "x"]}, {"stop": ["x", "y"]}),
        ({}, {"max_tokens": 10**9}, {"max_tokens": 4096}),
        ({"max_tokens": "20"}, {"max_tokens": 30}, {"max_tokens": 20}),
        ({"max_tokens": 20}, {"max_tokens": 10}, {"max_tokens": 10}),
        ({"max_tokens": "many"}, {"max_tokens": 10}, {"max_tokens": 10}),
    ],
)
def test_options_are_laid_over_the_apps_own(own: dict[str, Any], wanted: dict[str, Any], chosen: dict[str, Any]) -> None:
    assert over(own, wanted, DEMO) == chosen


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"response_format": "xml"}, "response_format"),
    ],
)
def test_options_outside_of_the_models_rules_are_refused(wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        over({}, wanted, OPENAI)
    assert caught.value.params == field


def test_a_form_of_answer_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidParam, match="response_format"):
        over({}, {"response_format": "json_object"}, DEMO)
