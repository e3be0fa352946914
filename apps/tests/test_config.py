"""An app's configuration is read in all its shapes, keeps what it does not know, and names what is wrong."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from apps.config import AppConfig, dump, parameters, parse
from difyproj.kernel.errors import InvalidParam

FULL: dict[str, Any] = {
    "model": {
        "provider": "langgenius/openai/openai",
        "name": "gpt-4o",
        "mode": "chat",
        "completion_params": {"temperature": 0.7, "max_tokens": 512, "stop": []},
    },
    "pre_prompt": "You help {{who}}.",
    "prompt_type": "simple",
    "chat_prompt_config": {},
    "completion_prompt_config": {},
    "user_input_form": [
        {"text-input": {"label": "Who", "variable": "who", "required": True, "max_length": 48, "default": ""}},
        {"select": {"label": "Tone", "variable": "tone", "required": False, "options": ["dry", "warm"], "default": "dry"}},
        {"external_data_tool": {"variable": "stock", "label": "Stock", "type": "api", "config": {"id": "x"}, "enabled": True}},
        {"file-list": {"label": "Files", "variable": "files", "required": False, "allowed_file_types": ["image"]}},
    ],
    "opening_statement": "Hello",
    "suggested_questions": ["What?", "Why?"],
    "suggested_questions_after_answer": {"enabled": True},
    "more_like_this": {"enabled": False},
    "speech_to_text": {"enabled": True},
    "text_to_speech": {"enabled": True, "voice": "alloy", "language": "en-US", "autoPlay": "disabled"},
    "retriever_resource": {"enabled": True},
    "annotation_reply": {"enabled": False},
    "sensitive_word_avoidance": {
        "enabled": True,
        "type": "keywords",
        "config": {
            "keywords": "bomb\nsecret",
            "inputs_config": {"enabled": True, "preset_response": "No."},
            "outputs_config": {"enabled": False},
        },
    },
    "file_upload": {
        "enabled": True,
        "allowed_file_types": ["image"],
        "allowed_file_extensions": [".png"],
        "allowed_file_upload_methods": ["local_file"],
        "number_limits": 2,
        "image": {"enabled": True, "number_limits": 2, "detail": "low", "transfer_methods": ["local_file"]},
        "fileUploadConfig": {"file_size_limit": 15},
    },
    "dataset_configs": {"retrieval_model": "multiple", "datasets": {"datasets": [{"dataset": {"enabled": True, "id": "d"}}]}},
    "dataset_query_variable": "",
    "external_data_tools": [],
    "agent_mode": {"enabled": False, "strategy": None, "max_iteration": 5, "prompt": None, "tools": []},
    "something_new": {"deep": [1, {"x": None}]},
}


def test_a_full_configuration_comes_back_as_it_went_in() -> None:
    back = dump(parse(FULL))
    assert back == {**FULL, "agent_mode": {"enabled": False, "max_iteration": 5, "prompt": None, "tools": []}}
    assert parse(back) == parse(FULL)


def test_an_empty_configuration_has_every_default() -> None:
    config = parse({})
    assert dump(config) == {}
    complete = dump(config, complete=True)
    assert complete["prompt_type"] == "simple" and complete["model"]["mode"] == "chat"
    assert complete["file_upload"]["image"]["transfer_methods"] == ["remote_url", "local_file"]
    assert parse(complete) == parse(dump(parse(complete)))


@pytest.mark.parametrize(
    "raw",
    [
        {"model": {"provider": "openai", "model_id": "gpt-3.5-turbo", "configs": {"prompt_template": ""}}},
        {"model": {"provider": "openai", "name": "gpt-3.5-turbo", "mode": None, "completion_params": None}},
        {
            "model": {"provider": "openai", "name": "gpt-3.5-turbo", "mode": ""},
            "chat_prompt_config": [],
            "dataset_configs": {"datasets": []},
            "user_input_form": None,
            "suggested_questions": None,
            "file_upload": None,
            "opening_statement": None,
            "prompt_type": "",
        },
    ],
)
def test_old_and_empty_shapes_are_tolerated(raw: dict[str, Any]) -> None:
    config = parse(raw)
    assert (config.model.name, config.model.mode, config.prompt_type) == ("gpt-3.5-turbo", "chat", "simple")
    assert config.user_input_form == () and config.file_upload.enabled is False


def test_both_shapes_of_file_upload_are_understood() -> None:
    older = parse({"file_upload": {"image": {"enabled": True, "detail": "low"}}}).file_upload
    assert (older.enabled, older.image.enabled, older.image.detail) == (False, True, "low")
    newer = parse({"file_upload": {"enabled": True, "allowed_file_types": ["image"]}}).file_upload
    assert (newer.enabled, newer.image.enabled, newer.allowed_file_types) == (True, False, ("image",))


def test_a_flat_form_field_is_understood() -> None:
    config = parse({"user_input_form": [{"type": "number", "variable": "n", "label": "N"}]})
    assert config.user_input_form[0].control == "number"
    assert dump(config)["user_input_form"] == [{"number": {"variable": "n", "label": "N"}}]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ([], ""),
        ("x", "model_config"),
        ({"model": {"mode": "dance"}}, "model.mode"),
        ({"model": "gpt"}, "model"),
        ({"pre_prompt": {}}, "pre_prompt"),
        ({"prompt_type": "magic"}, "prompt_type"),
        ({"user_input_form": [{"slider": {}}]}, "user_input_form.0"),
        ({"user_input_form": [{"select": {"label": "x"}}]}, "user_input_form.0.variable"),
        ({"user_input_form": [{"select": {"variable": "a", "options": "x"}}]}, "user_input_form.0.options"),
        ({"user_input_form": [{"paragraph": {"variable": "a"}}, {"number": {"variable": "a"}}]}, "user_input_form"),
        ({"user_input_form": [{"text-input": 3}]}, "user_input_form.0"),
        ({"chat_prompt_config": {"prompt": [{"role": "king"}]}}, "chat_prompt_config.prompt.0.role"),
        ({"speech_to_text": {"enabled": "perhaps"}}, "speech_to_text.enabled"),
        ({"file_upload": {"image": {"number_limits": "many"}}}, "file_upload.image.number_limits"),
    ],
)
def test_a_wrong_field_is_named(raw: Any, path: str) -> None:
    if not path:
        assert parse(raw) == AppConfig()
        return
    with pytest.raises(InvalidParam) as refusal:
        parse(raw)
    assert refusal.value.params == path
    assert str(refusal.value).startswith(path)


def _nested(inner: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    names = some.sampled_from(sorted(FULL)) | some.text(max_size=5)
    return some.lists(inner, max_size=3) | some.dictionaries(names, inner, max_size=4)


@given(some.recursive(some.none() | some.booleans() | some.integers() | some.text(), _nested))
def test_nothing_but_a_named_refusal_comes_of_odd_json(raw: Any) -> None:
    try:
        config = parse(raw)
    except InvalidParam as refusal:
        assert refusal.params
    else:
        assert parse(dump(config)) == config


def test_a_configuration_cannot_be_changed() -> None:
    config, field = parse(FULL), "pre_prompt"
    with pytest.raises(ValidationError):
        setattr(config, field, "other")


def test_the_parameters_body_shows_what_clients_may_know() -> None:
    body = parameters(parse(FULL), {"file_size_limit": 15})
    assert body["opening_statement"] == "Hello"
    assert body["user_input_form"] == FULL["user_input_form"]
    assert body["text_to_speech"] == {"enabled": True, "voice": "alloy", "language": "en-US", "autoPlay": "disabled"}
    assert body["sensitive_word_avoidance"] == {"enabled": True}, "keywords stay private"
    assert body["file_upload"]["image"] == FULL["file_upload"]["image"]
    assert body["file_upload"]["number_limits"] == 2
    assert body["system_parameters"] == {"file_size_limit": 15}
    assert "bomb" not in str(body)


def test_the_parameters_of_an_empty_app_are_complete() -> None:
    body = parameters(parse({}), {})
    assert body["text_to_speech"] == {"enabled": False}
    assert body["suggested_questions"] == [] and body["user_input_form"] == [] and body["opening_statement"] == ""
    assert set(body) == {
        "opening_statement",
        "suggested_questions",
        "suggested_questions_after_answer",
        "speech_to_text",
        "text_to_speech",
        "retriever_resource",
        "annotation_reply",
        "more_like_this",
        "user_input_form",
        "sensitive_word_avoidance",
        "file_upload",
        "system_parameters",
    }


def test_parsing_a_full_configuration_is_cheap() -> None:
    best = 1.0
    for _ in range(50):
        began = time.process_time()
        parse(FULL)
        best = min(best, time.process_time() - began)
    assert best < 0.001, f"{best * 1e6:.0f} us"
