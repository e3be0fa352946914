"""What builders set up for an app on the Console API: configuration, keys, site, tracing, and the export of it all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml

from apps import config as app_config
from apps.models import ApiToken, App, Site
from apps.services import dsl
from difyproj.infra.models import AuditEntry
from difyproj.testing.served import Answer

from .console_crew import Crew, data
from .contract import UNKNOWN_ID, assert_error

# As Dify's own front end saves it.
SAVED = {
    "pre_prompt": "You speak {{language}}.", "prompt_type": "simple", "chat_prompt_config": {},
    "completion_prompt_config": {}, "opening_statement": "Hi!", "suggested_questions": ["Who?"],
    "user_input_form": [{"select": {"label": "Language", "variable": "language", "required": True, "options": ["fr", "de"]}}],
    "dataset_query_variable": "", "more_like_this": {"enabled": False}, "speech_to_text": {"enabled": False},
    "suggested_questions_after_answer": {"enabled": True}, "text_to_speech": {"enabled": False, "voice": "", "language": ""},
    "retriever_resource": {"enabled": True}, "sensitive_word_avoidance": {"enabled": False, "type": "", "configs": []},
    "external_data_tools": [], "agent_mode": {"enabled": False, "max_iteration": 5, "strategy": "react", "tools": []},
    "model": {
        "provider": "langgenius/openai/openai", "name": "gpt-4o-mini", "mode": "chat",
        "completion_params": {"temperature": 0.7, "stop": []},
    },
    "dataset_configs": {"retrieval_model": "multiple", "datasets": {"datasets": []}, "top_k": 4, "reranking_enable": False},
    "file_upload": {"image": {"enabled": False, "number_limits": 3, "detail": "high", "transfer_methods": ["local_file"]}},
    "system_parameters": {"image_file_size_limit": 10}, "a_field_of_next_year": {"x": [1]},
}  # fmt: skip


def at(crew: Crew, part: str) -> str:
    return f"/apps/{crew.house.chat.app.pk}/{part}"


async def stored(crew: Crew) -> App:
    return await App.objects.aget(pk=crew.house.chat.app.pk)


async def test_a_configuration_is_saved_as_it_is_and_shown_again(crew: Crew) -> None:
    answer = await crew.bob.post(at(crew, "model-config"), SAVED)
    assert (answer.status, answer.json()) == (200, {"result": "success"})
    row = await stored(crew)
    assert (row.config, row.updated_by_id) == (SAVED, crew.house.cast.bob.account.pk)
    shown = (await crew.bob.get(at(crew, "").rstrip("/"))).json()["model_config"]
    for name in ("pre_prompt", "user_input_form", "model", "a_field_of_next_year", "suggested_questions"):
        assert shown[name] == SAVED[name]


async def test_a_saved_configuration_answers_the_next_question(crew: Crew) -> None:
    assert (await crew.house.call("GET", "/v1/parameters")).json()["opening_statement"] == "Hello!"
    await crew.bob.post(at(crew, "model-config"), SAVED)
    parameters = (await crew.house.call("GET", "/v1/parameters")).json()
    assert (parameters["opening_statement"], parameters["user_input_form"]) == ("Hi!", SAVED["user_input_form"])
    await crew.house.ask(inputs={"language": "fr"}, response_mode="blocking", auto_generate_name=False)
    assert crew.house.upstream.last.body["messages"][0]["content"] == "You speak fr."


DEEP: Any = {}
for _ in range(100):
    DEEP = {"x": DEEP}


@pytest.mark.parametrize(
    ("wrong", "params"),
    [
        ({"prompt_type": "song"}, "prompt_type"),
        ({"user_input_form": [{"slider": {"variable": "x"}}]}, "user_input_form.0"),
        ({"user_input_form": [{"text-input": {"variable": "x"}}] * 2}, "user_input_form"),
        ({"model": "gpt"}, "model"),
        ({"pre_prompt": "a\0b"}, "model_config"),
        ({"a_field_of_next_year": [{"a\0": 1}]}, "model_config"),
        ({"a_field_of_next_year": DEEP}, "model_config"),
        ([1], "model_config"),
        ("text", "model_config"),
    ],
)
async def test_a_wrong_configuration_is_not_saved(crew: Crew, wrong: Any, params: str) -> None:
    body = {**SAVED, **wrong} if isinstance(wrong, dict) else wrong
    assert_error(await crew.bob.post(at(crew, "model-config"), body), 400, "invalid_param", params=params)
    assert (await stored(crew)).config == crew.house.chat.app.config


async def test_only_editors_save_configurations(crew: Crew) -> None:
    await crew.assert_only_for("POST", at(crew, "model-config"), editors=True, json=SAVED)
    assert (await stored(crew)).config == crew.house.chat.app.config


async def test_a_key_is_shown_once_and_works(crew: Crew) -> None:
    made = await crew.alice.post(at(crew, "api-keys"))
    assert made.status == 201
    body = made.json()
    assert set(body) == {"id", "type", "token", "created_at", "last_used_at"}
    assert (body["type"], body["last_used_at"], body["token"][:4]) == ("app", None, "app-")
    used = await crew.house.call("GET", "/v1/info", headers={"Authorization": f"Bearer {body['token']}"})
    assert used.status == 200
    rows = data(await crew.bob.get(at(crew, "api-keys")))
    assert len(rows) == 2
    assert all(set(row) == set(body) and row["token"].endswith("****") for row in rows)
    assert body["token"] not in str(rows)
    assert rows[0]["id"] == body["id"]
    assert isinstance(rows[0]["last_used_at"], int)


async def test_a_deleted_key_opens_nothing(crew: Crew) -> None:
    made = (await crew.alice.post(at(crew, "api-keys"))).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert (await crew.house.call("GET", "/v1/info", headers=headers)).status == 200
    path = at(crew, f"api-keys/{made['id']}")
    await crew.assert_only_for("DELETE", path, editors=False)
    answer = await crew.alice.delete(path)
    assert (answer.status, answer.body) == (204, b"")
    assert_error(await crew.house.call("GET", "/v1/info", headers=headers), 401, "unauthorized")
    assert_error(await crew.alice.delete(path), 404, "not_found")
    assert_error(await crew.alice.delete(at(crew, "api-keys/nonsense")), 404, "not_found")


async def test_a_key_of_another_app_is_not_deleted_here(crew: Crew) -> None:
    row = await ApiToken.objects.aget(app=crew.house.completion.app)
    assert_error(await crew.alice.delete(at(crew, f"api-keys/{row.pk}")), 404, "not_found")
    foreign = await ApiToken.objects.aget(app=crew.house.foreign.app)
    assert_error(await crew.alice.delete(at(crew, f"api-keys/{foreign.pk}")), 404, "not_found")
    assert await ApiToken.objects.acount() == 3


async def test_an_app_has_ten_keys_at_most_however_many_are_asked_for_at_once(crew: Crew) -> None:
    await crew.assert_only_for("POST", at(crew, "api-keys"), editors=False)
    answers = await asyncio.gather(*(crew.alice.post(at(crew, "api-keys")) for _ in range(12)))
    assert sorted(answer.status for answer in answers) == [201] * 9 + [400] * 3
    assert_error(next(answer for answer in answers if answer.status == 400), 400, "bad_request")
    assert await ApiToken.objects.filter(app=crew.house.chat.app).acount() == 10


async def test_only_those_who_edit_see_the_keys(crew: Crew) -> None:
    await crew.assert_only_for("GET", at(crew, "api-keys"), editors=True)


SITE = {
    "title": "Whales!", "icon_type": "emoji", "icon": "🐳", "icon_background": "#abcdef", "description": "All about whales",
    "default_language": "de-DE", "chat_color_theme": "#ff0000", "chat_color_theme_inverted": True,
    "customize_domain": "whales.example", "copyright": "Acme", "privacy_policy": "https://acme.example/privacy",
    "input_placeholder": "Ask", "custom_disclaimer": "None", "customize_token_strategy": "allow", "prompt_public": True,
    "show_workflow_steps": False, "use_icon_as_answer_icon": True,
}  # fmt: skip


async def test_a_site_is_set_up(crew: Crew) -> None:
    before = await Site.objects.aget(app=crew.house.chat.app)
    ours = {"access_mode": "private_all", "cors_origins": ["https://Acme.example"], "frame_ancestors": ["http://a.b:8080/"]}
    theft = {"code": "mine", "app_id": UNKNOWN_ID, "id": UNKNOWN_ID, "app": UNKNOWN_ID}
    answer = await crew.bob.post(at(crew, "site"), {**SITE, **ours, **theft})
    assert answer.status == 200, answer.body
    body = answer.json()
    assert {name: body[name] for name in SITE} == SITE
    row = await Site.objects.select_related("app").aget(pk=before.pk)
    assert {name: getattr(row, name) for name in SITE} == SITE
    assert (row.code, row.app_id) == (before.code, crew.house.chat.app.pk)
    assert (row.app.access_mode, row.cors_origins, row.frame_ancestors) == (
        "private_all", ["https://acme.example"], ["http://a.b:8080"],
    )  # fmt: skip
    assert body["access_mode"] == "private_all"
    kept = (await crew.bob.post(at(crew, "site"), {"title": None, "icon": None})).json()
    assert (kept["title"], kept["icon"]) == ("Whales!", "🐳")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "t" * 256), ("default_language", "de DE"), ("customize_token_strategy", "maybe"), ("access_mode", "secret"),
        ("custom_disclaimer", "d" * 513), ("title", "a\0b"), ("cors_origins", ["*"]), ("cors_origins", ["null"]),
        ("cors_origins", ["https://a.b/path"]), ("cors_origins", ["https://u:p@a.b"]), ("frame_ancestors", ["javascript:x"]),
        ("frame_ancestors", ["https://a.b; script-src *"]), ("frame_ancestors", ["https://a.b:99999"]),
        ("cors_origins", ["https://a.b"] * 101), ("cors_origins", "https://a.b"),
    ],
)  # fmt: skip
async def test_a_wrong_site_setting_names_its_field(crew: Crew, field: str, value: Any) -> None:
    answer = await crew.bob.post(at(crew, "site"), {field: value})
    assert_error(answer, 400, "invalid_param")
    assert answer.json()["params"].split(".")[0] == field


async def test_only_editors_set_sites_up_and_only_admins_take_its_code_away(crew: Crew) -> None:
    await crew.assert_only_for("POST", at(crew, "site"), editors=True, json=SITE)
    await crew.assert_only_for("POST", at(crew, "site/access-token-reset"), editors=False)
    assert (await Site.objects.aget(app=crew.house.chat.app)).title == "Alice's chat"


async def test_a_new_code_ends_the_old_one(crew: Crew) -> None:
    old = (await Site.objects.aget(app=crew.house.chat.app)).code
    answer = await crew.alice.post(at(crew, "site/access-token-reset"))
    new = (await Site.objects.aget(app=crew.house.chat.app)).code
    assert (answer.status, answer.json()["code"], answer.json()["access_token"]) == (200, new, new)
    assert new != old

    async def passport(code: str) -> Answer:
        return await crew.house.call("GET", "/api/passport", headers={"X-App-Code": code, "Authorization": ""})

    assert (await passport(new)).status == 200
    assert (await passport(old)).status == 404


async def test_no_tracing_provider_is_known_and_none_is_pretended(crew: Crew) -> None:
    assert (await crew.bob.get(at(crew, "trace"))).json() == {"enabled": False, "tracing_provider": None}
    off = await crew.bob.post(at(crew, "trace"), {"enabled": False, "tracing_provider": None})
    assert (off.status, off.json()) == (200, {"result": "success"})
    on = await crew.bob.post(at(crew, "trace"), {"enabled": True, "tracing_provider": "langfuse"})
    assert_error(on, 400, "invalid_param", params="tracing_provider")
    body = {"tracing_provider": "langfuse", "tracing_config": {"secret_key": "sk-lf-1"}}
    config = at(crew, "trace-config")
    assert (await crew.bob.get(config, tracing_provider="langfuse")).json() == {"has_not_configured": True}
    assert_error(await crew.bob.post(config, body), 400, "trace_config_check_error")
    assert_error(await crew.bob.patch(config, body), 400, "trace_config_not_exist")
    assert_error(await crew.bob.delete(config, tracing_provider="langfuse"), 400, "trace_config_not_exist")
    assert_error(await crew.bob.get(config), 400, "invalid_param", params="tracing_provider")
    assert (await stored(crew)).tracing is None


async def test_tracing_is_for_editors(crew: Crew) -> None:
    await crew.assert_only_for("POST", at(crew, "trace"), editors=True, json={"enabled": False})
    for method in ("GET", "POST", "PATCH", "DELETE"):
        await crew.assert_only_for(method, at(crew, "trace-config?tracing_provider=x"), editors=True)
    assert_error(await crew.eve.get(at(crew, "trace")), 404, "app_not_found")


async def test_an_export_holds_what_makes_the_app(crew: Crew) -> None:
    await crew.bob.post(at(crew, "model-config"), SAVED)
    answer = await crew.bob.get(at(crew, "export"), include_secret="false")
    assert (answer.status, list(answer.json())) == (200, ["data"])
    text = answer.json()["data"]
    document = yaml.safe_load(text)
    assert "Hi!" in text
    assert (document["version"], document["kind"], document["dependencies"]) == (dsl.VERSION, "app", [])
    assert document["app"] == {
        "name": "Alice's chat", "mode": "chat", "icon_type": "emoji", "icon": "🤖", "icon_background": "#FFEAD5",
        "description": "", "use_icon_as_answer_icon": False,
    }  # fmt: skip
    assert app_config.parse(document["model_config"]) == app_config.parse(
        app_config.dump(app_config.parse(SAVED), complete=True)
    )
    for secret in (crew.house.chat.token, "sk-test", str(crew.house.chat.app.tenant_id), str(crew.house.chat.app.pk)):
        assert secret not in text


async def test_an_export_of_a_graph_has_no_model_config(crew: Crew) -> None:
    made = await crew.new_app(mode="workflow", name="流程", description="line\nbreak: 'x'")
    document = yaml.safe_load((await crew.bob.get(f"/apps/{made['id']}/export")).json()["data"])
    assert (document["app"]["name"], document["app"]["description"]) == ("流程", "line\nbreak: 'x'")
    assert "model_config" not in document


async def test_only_editors_export(crew: Crew) -> None:
    await crew.assert_only_for("GET", at(crew, "export"), editors=True)


async def test_what_was_written_is_noted_with_its_writer(crew: Crew) -> None:
    await crew.bob.post(at(crew, "name"), {"name": "Noted"})
    await crew.bob.post(at(crew, "site"), {"title": "Noted too"})
    await crew.alice.post(at(crew, "api-keys"))
    found = {(row.action, row.actor_id) async for row in AuditEntry.objects.exclude(actor_kind="system")}
    bob, alice = crew.house.cast.bob.account.pk, crew.house.cast.alice.account.pk
    assert {("app.updated", bob), ("site.updated", bob), ("apitoken.created", alice)} <= found
