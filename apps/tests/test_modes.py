"""A configuration and a question become the prompt that the app's author meant."""

from __future__ import annotations

from typing import Any

import pytest

from apps.modes import MODES, mode_for
from apps.modes.mode import CHAT, COMPLETION, WORKFLOW, Turn
from difyproj.kernel.errors import AppUnavailable, NotChatApp, NotWorkflowApp
from difyproj.model_runtime.messages import ImagePart, TextPart
from difyproj.testing.fakes import KeptFiles, ScriptedModels, visible
from workflows.engine.events import RunFinished
from workflows.engine.node import HistoryTurn

from .runs import MODEL, asked, config, lines, play

TEXT_MODEL = {**MODEL, "mode": "completion"}
PAST = [HistoryTurn("Who are you?", "Bob.")]


async def test_chat_puts_instructions_history_and_question_in_order() -> None:
    request = await asked(config(pre_prompt="Be kind to {{who}}."), Turn("Now?", {"who": "Ann"}, history=PAST))
    assert lines(request) == ["system: Be kind to Ann.", "user: Who are you?", "assistant: Bob.", "user: Now?"]


async def test_chat_without_instructions_sends_the_question_alone() -> None:
    assert lines(await asked(config(), Turn("Now?"))) == ["user: Now?"]


async def test_a_question_with_braces_reaches_the_model_as_it_was_written() -> None:
    request = await asked(config(pre_prompt="{{a}}"), Turn("{{a}} {{#sys.user_id#}}", {"a": "{{b}}"}, user="ann"))
    assert lines(request) == ["system: {b}", "user: {{a}} {{#sys.user_id#}}"]


async def test_context_stands_before_the_instructions_or_in_its_own_place() -> None:
    before = lines(await asked(config(pre_prompt="Go."), Turn("q", context="Facts.")))[0]
    assert "<context>\nFacts.\n</context>" in before and before.endswith("Go.")
    inside = lines(await asked(config(pre_prompt="Use {{#context#}}."), Turn("q", context="Facts.")))[0]
    assert inside == "system: Use Facts.."


async def test_completion_without_a_question_says_the_instructions() -> None:
    request = await asked(config(pre_prompt="Write on {{topic}}."), Turn("", {"topic": "tea"}), mode="completion")
    assert lines(request) == ["user: Write on tea."]


async def test_completion_with_a_question_has_both_and_no_history() -> None:
    request = await asked(config(pre_prompt="Translate."), Turn("chat", history=PAST), mode="completion")
    assert lines(request) == ["system: Translate.", "user: chat"]


async def test_text_models_get_one_message_with_the_conversation_and_its_stop_words() -> None:
    request = await asked(config(model=TEXT_MODEL, pre_prompt="Be kind."), Turn("Now?", history=PAST))
    assert request.mode == "completion" and len(request.messages) == 1
    text = request.messages[0].text
    assert text.startswith("Be kind.\n\n") and text.endswith("Human: Now?\n\nAssistant: ")
    assert "<histories>\nHuman: Who are you?\nAssistant: Bob.\n</histories>" in text
    assert request.stop == ("\nHuman:", "</histories>")


async def test_text_models_without_history_see_no_empty_frame() -> None:
    request = await asked(config(model=TEXT_MODEL, pre_prompt="Be kind."), Turn("Now?"))
    assert request.messages[0].text == "Be kind.\n\nHuman: Now?\n\nAssistant: "


async def test_text_models_of_completion_apps_get_the_plain_prompt() -> None:
    request = await asked(config(model=TEXT_MODEL, pre_prompt="On {{t}}:"), Turn("", {"t": "tea"}), mode="completion")
    assert (lines(request), request.stop) == (["user: On tea:"], ())


async def test_advanced_messages_keep_their_roles_and_the_question_follows() -> None:
    rows = [{"role": "system", "text": "S {{who}}"}, {"role": "assistant", "text": "Yes"}, {"role": "user", "text": " "}]
    app = config(prompt_type="advanced", chat_prompt_config={"prompt": rows}, pre_prompt="unused")
    request = await asked(app, Turn("Now?", {"who": "Ann"}, history=PAST))
    assert lines(request) == ["system: S Ann", "assistant: Yes", "user: Who are you?", "assistant: Bob.", "user: Now?"]


async def test_advanced_messages_that_hold_the_question_are_not_asked_twice() -> None:
    rows = [{"role": "user", "text": "Q: {{#query#}} C: {{#context#}}"}]
    app = config(prompt_type="advanced", chat_prompt_config={"prompt": rows})
    assert lines(await asked(app, Turn("Now?", context="Facts"))) == ["user: Q: Now? C: Facts"]


async def test_advanced_text_places_history_query_and_roles() -> None:
    settings = {
        "prompt": {"text": "{{who}}\n{{#histories#}}\nMe: {{#query#}}\nYou:"},
        "conversation_histories_role": {"user_prefix": "Me", "assistant_prefix": "You"},
    }
    app = config(model=TEXT_MODEL, prompt_type="advanced", completion_prompt_config=settings)
    request = await asked(app, Turn("Now?", {"who": "Ann"}, history=PAST))
    assert lines(request) == ["user: Ann\nMe: Who are you?\nYou: Bob.\nMe: Now?\nYou:"]


async def test_advanced_text_without_a_place_for_history_has_none() -> None:
    settings = {"prompt": {"text": "{{#query#}}"}}
    app = config(model=TEXT_MODEL, prompt_type="advanced", completion_prompt_config=settings)
    assert lines(await asked(app, Turn("Now?", history=PAST))) == ["user: Now?"]


async def test_history_shrinks_to_what_the_model_can_hold() -> None:
    past = [HistoryTurn(f"question {n}", "word " * 30) for n in range(5)]
    app = config(model={**MODEL, "completion_params": {"max_tokens": 20}}, pre_prompt="Short.")
    request = await asked(app, Turn("Now?", history=past), size=100)
    assert lines(request)[1] == "user: question 3" and len(request.messages) == 6


async def test_stop_words_of_the_configuration_are_kept() -> None:
    app = config(model={**TEXT_MODEL, "completion_params": {"stop": ["END"]}})
    assert (await asked(app, Turn("q"))).stop == ("END", "\nHuman:", "</histories>")


async def test_pictures_are_sent_with_the_question() -> None:
    models, cat = ScriptedModels(), ImagePart(url="http://f/cat.png")
    app = config(pre_prompt="Look.", file_upload={"image": {"enabled": True, "detail": "low"}})
    await play(app, Turn("What is it?", files=["cat"]), models, files=KeptFiles({"cat": cat}))
    assert models.requests[0].messages[-1].content == (cat, TextPart("What is it?"))


@pytest.mark.parametrize("mode", ["chat", "completion"])
async def test_a_run_of_each_mode_ends_with_answer_and_usage(mode: str) -> None:
    events = await play(config(pre_prompt="Say hello."), Turn("hi"), ScriptedModels(("Hel", "lo")), mode=mode)
    last = events[-1]
    assert visible(events) == "Hello"
    assert isinstance(last, RunFinished) and last.answer == "Hello" and last.usage.total_tokens == 4


async def test_an_app_without_a_model_is_unavailable() -> None:
    with pytest.raises(AppUnavailable, match="no model"):
        await play(config(model={}), Turn("hi"))


@pytest.mark.parametrize(
    ("mode", "family", "refusal"),
    [
        ("completion", CHAT, NotChatApp),
        ("workflow", CHAT, NotChatApp),
        ("chat", COMPLETION, AppUnavailable),
        ("chat", WORKFLOW, NotWorkflowApp),
        ("agent-chat", CHAT, AppUnavailable),
        ("nonsense", CHAT, NotChatApp),
    ],
)
def test_a_route_refuses_apps_it_cannot_run(mode: str, family: Any, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        mode_for(mode, family)


def test_a_route_finds_the_mode_it_runs() -> None:
    assert mode_for("chat", CHAT) is MODES.get("chat")
    assert mode_for("completion", COMPLETION).has_conversations is False
    assert mode_for("advanced-chat", CHAT).has_conversations is True
    assert mode_for("workflow", WORKFLOW).has_conversations is False
