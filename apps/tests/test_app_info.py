"""GET /v1/info, /parameters, /meta and /site: what an integrator may know of an app."""

from __future__ import annotations

from typing import Any

import pytest

from apps.models import Site
from difyproj.testing.served import Served

from .contract import assert_error


async def get(house: Served, path: str) -> Any:
    answer = await house.call("GET", path)
    assert answer.status == 200, answer.body
    return answer.json()


async def test_info_names_the_app_and_its_author(house: Served) -> None:
    assert await get(house, "/v1/info") == {
        "name": "Alice's chat", "description": "", "tags": [], "mode": "chat", "author_name": "Alice",
    }  # fmt: skip


async def test_parameters_tell_what_a_front_end_needs(house: Served) -> None:
    form = [{"text-input": {"label": "Name", "variable": "name", "required": True, "max_length": 5}}]
    await house.configure(
        house.chat,
        user_input_form=form,
        suggested_questions=["Who are you?"],
        speech_to_text={"enabled": True},
        text_to_speech={"enabled": True, "voice": "alloy", "language": "en-US"},
        sensitive_word_avoidance={"enabled": True, "type": "keywords", "config": {"keywords": "hush"}},
        file_upload={"image": {"enabled": True, "number_limits": 2, "detail": "low", "transfer_methods": ["local_file"]}},
    )
    body = await get(house, "/v1/parameters?user=u1")
    assert body["opening_statement"] == "Hello!"
    assert body["suggested_questions"] == ["Who are you?"]
    assert body["user_input_form"] == form
    assert body["speech_to_text"] == {"enabled": True}
    assert body["text_to_speech"] == {"enabled": True, "voice": "alloy", "language": "en-US"}
    assert body["sensitive_word_avoidance"] == {"enabled": True}
    assert body["file_upload"]["image"] == {
        "enabled": True, "number_limits": 2, "detail": "low", "transfer_methods": ["local_file"],
    }  # fmt: skip
    assert body["system_parameters"] == {
        "file_size_limit": 15, "image_file_size_limit": 10, "audio_file_size_limit": 50, "video_file_size_limit": 100,
        "workflow_file_upload_limit": 10,
    }  # fmt: skip
    for toggle in ("suggested_questions_after_answer", "retriever_resource", "annotation_reply", "more_like_this"):
        assert body[toggle] == {"enabled": False}


async def test_parameters_keep_prompt_model_and_keywords_private(house: Served) -> None:
    await house.configure(
        house.chat,
        pre_prompt="SECRET PROMPT",
        sensitive_word_avoidance={"enabled": True, "type": "keywords", "config": {"keywords": "SECRET WORD"}},
    )
    for path in ("/v1/parameters", "/v1/info", "/v1/meta", "/v1/site"):
        text = str(await get(house, path))
        assert "SECRET" not in text
        assert "gpt-4o" not in text


async def test_a_changed_configuration_shows_at_once(house: Served) -> None:
    await get(house, "/v1/parameters")
    await house.configure(house.chat, opening_statement="Good morning!")
    assert (await get(house, "/v1/parameters"))["opening_statement"] == "Good morning!"


async def test_meta_knows_no_tools_of_a_chat(house: Served) -> None:
    assert await get(house, "/v1/meta") == {"tool_icons": {}}


async def test_site_tells_how_the_page_looks(house: Served) -> None:
    body = await get(house, "/v1/site")
    assert set(body) == {
        "title", "chat_color_theme", "chat_color_theme_inverted", "icon_type", "icon", "icon_background", "icon_url",
        "description", "copyright", "privacy_policy", "input_placeholder", "custom_disclaimer", "default_language",
        "show_workflow_steps", "use_icon_as_answer_icon",
    }  # fmt: skip
    assert (body["title"], body["default_language"]) == ("Alice's chat", "en-US")


async def test_an_app_without_a_site_is_forbidden(house: Served) -> None:
    await Site.objects.filter(app=house.chat.app).adelete()
    assert_error(await house.call("GET", "/v1/site"), 403, "forbidden")


@pytest.mark.parametrize("path", ["/v1/info", "/v1/parameters", "/v1/meta", "/v1/site"])
async def test_each_key_sees_its_own_app(house: Served, path: str) -> None:
    bodies = [(await house.call("GET", path, key=key)).body for key in (house.chat, house.completion, house.foreign)]
    if path in ("/v1/info", "/v1/site"):
        assert len(set(bodies)) == 3
    assert b"Eve" not in bodies[0] + bodies[1]
