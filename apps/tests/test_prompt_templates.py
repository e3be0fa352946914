"""GET /console/api/app/prompt-templates: an advanced prompt that starts from it says what the simple one said."""

from __future__ import annotations

from typing import Any

import pytest

from apps.modes.mode import Turn
from apps.modes.prompt_templates import starting_prompt
from difyproj.model_runtime.messages import PromptMessage
from workflows.engine.node import HistoryTurn

from .console_crew import Crew
from .contract import assert_error
from .runs import asked, config

QUERY = {"app_mode": "chat", "model_mode": "chat", "has_context": "false", "model_name": "gpt-4o"}
TURN = Turn("Why?", history=[HistoryTurn("Who?", "A whale.")], context="")


async def prompt_of(mode: str, model_mode: str, turn: Turn, **fields: Any) -> list[tuple[str, str]]:
    model = {"provider": "demo", "name": "m", "mode": model_mode, "completion_params": {}}
    request = await asked(config(**{**fields, "model": model}), turn, mode=mode)
    return [(message.role.value, said(message)) for message in request.messages]


def said(message: PromptMessage) -> str:
    return message.text.strip()


def filled(template: dict[str, Any], pre_prompt: str) -> dict[str, Any]:
    """As an editor fills it in."""

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{{#pre_prompt#}}", pre_prompt)
        if isinstance(value, dict):
            return {name: fill(item) for name, item in value.items()}
        return [fill(item) for item in value] if isinstance(value, list) else value

    return {name: fill(value) for name, value in template.items() if name != "stop"}


@pytest.mark.parametrize("context", ["", "Whales are mammals."])
@pytest.mark.parametrize(("mode", "model_mode"), [("chat", "chat"), ("chat", "completion"), ("completion", "completion")])
async def test_the_advanced_prompt_equals_the_simple_one(mode: str, model_mode: str, context: str) -> None:
    template = starting_prompt(conversation=mode == "chat", texts=model_mode == "completion", context=bool(context))
    query = "Why?" if mode == "chat" else ""
    turn = Turn(query, history=TURN.history if mode == "chat" else (), context=context)
    simple = await prompt_of(mode, model_mode, turn, pre_prompt="Be kind.")
    advanced = await prompt_of(mode, model_mode, turn, prompt_type="advanced", **filled(template, "Be kind."))
    assert advanced == simple


async def test_every_member_gets_the_template(crew: Crew) -> None:
    answer = await crew.norma.get("/app/prompt-templates", **QUERY)
    assert (answer.status, answer.json()) == (200, starting_prompt(conversation=True, texts=False, context=False))
    text = (await crew.bob.get("/app/prompt-templates", **{**QUERY, "model_mode": "completion"})).json()
    assert text["completion_prompt_config"]["conversation_histories_role"] == {
        "user_prefix": "Human", "assistant_prefix": "Assistant",
    }  # fmt: skip
    assert text["stop"]


@pytest.mark.parametrize(("name", "value"), [("app_mode", "dance"), ("model_mode", "song"), ("has_context", "perhaps")])
async def test_a_wrong_query_names_its_field(crew: Crew, name: str, value: str) -> None:
    assert_error(await crew.bob.get("/app/prompt-templates", **{**QUERY, name: value}), 400, "invalid_param", params=name)
