"""Model providers on the Console API: what is there, what can be called, what is chosen; and no secret anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from pytest_django import DjangoAssertNumQueries

from accounts.models import DefaultModel, ModelCredential, ModelSetting
from accounts.services import credentials, providers
from difyproj.model_runtime import catalogue
from difyproj.testing.cast import Cast
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Served

CURRENT = "/workspaces/current"
BASE = f"{CURRENT}/model-providers"
OPENAI = f"{BASE}/langgenius/openai/openai"
MODEL = {"model": "gpt-4o-mini", "model_type": "llm"}
KEY = "sk-test-0123456789abcdef"


@pytest.fixture
async def owner(house: Served) -> TierClient:
    return await signed_in(house, house.cast.alice)


async def provider(client: TierClient, name: str, **query: str) -> dict[str, Any]:
    found = {row["provider"]: row for row in (await client.get(BASE, **query)).json()["data"]}
    row: dict[str, Any] = found[name]
    return row


async def test_every_provider_is_listed_with_its_form_and_what_the_tenant_keeps(house: Served, owner: TierClient) -> None:
    rows = (await owner.get(BASE)).json()["data"]
    assert [row["provider"] for row in rows] == [catalogue.public_name(name) for name in catalogue.names()]
    openai = await provider(owner, "langgenius/openai/openai")
    kept = await ModelCredential.objects.aget(tenant=house.cast.alice.tenant)
    assert openai["label"] == {"en_US": "OpenAI", "zh_Hans": "OpenAI"}
    assert openai["configurate_methods"] == ["predefined-model", "customizable-model"]
    assert openai["preferred_provider_type"] == "custom"
    key = openai["provider_credential_schema"]["credential_form_schemas"][0]
    assert (key["variable"], key["type"], key["required"]) == ("openai_api_key", "secret-input", True)
    assert key["placeholder"] == {"en_US": "sk-...", "zh_Hans": "sk-..."}
    assert openai["model_credential_schema"]["model"]["label"]["en_US"] == "Model Name"
    assert openai["custom_configuration"] == {
        "status": "active",
        "current_credential_id": str(kept.pk),
        "current_credential_name": kept.name,
        "available_credentials": [{"credential_id": str(kept.pk), "credential_name": kept.name}],
        "custom_models": [],
        "can_added_models": [],
    }
    assert openai["system_configuration"] == {"enabled": False, "current_quota_type": None, "quota_configurations": []}
    anthropic = await provider(owner, "langgenius/anthropic/anthropic")
    assert anthropic["custom_configuration"]["status"] == "no-configure"
    demo = await provider(owner, "demo")
    assert (demo["custom_configuration"]["status"], demo["custom_configuration"]["available_credentials"]) == ("active", [])


async def test_the_list_can_be_narrowed_to_a_model_type(owner: TierClient) -> None:
    rows = (await owner.get(BASE, model_type="rerank")).json()["data"]
    assert rows and all("rerank" in row["supported_model_types"] for row in rows)
    assert (await owner.get(BASE, model_type="")).status == 200
    wrong = await owner.get(BASE, model_type="telepathy")
    assert (wrong.status, wrong.json()["params"]) == (400, "model_type")


async def test_the_models_of_a_provider_say_whether_they_can_be_called(house: Served, owner: TierClient) -> None:
    rows = (await owner.get(f"{OPENAI}/models")).json()["data"]
    (mini,) = [row for row in rows if row["model"] == "gpt-4o-mini"]
    assert mini["label"] == {"en_US": "gpt-4o-mini", "zh_Hans": "gpt-4o-mini"}
    assert (mini["status"], mini["fetch_from"], mini["model_type"]) == ("active", "predefined-model", "llm")
    assert mini["model_properties"] == {"mode": "chat", "context_size": 128000}
    assert "vision" in mini["features"] and mini["provider"]["provider"] == "langgenius/openai/openai"
    assert {row["status"] for row in (await owner.get(f"{BASE}/anthropic/models")).json()["data"]} == {"no-configure"}
    (speech,) = [row for row in rows if row["model"] == "tts-1"]
    assert speech["model_properties"]["default_voice"] == "alloy"
    (embedding,) = [row for row in rows if row["model"] == "text-embedding-3-small"]
    assert embedding["features"] is None and embedding["model_properties"]["max_chunks"] > 0
    unknown = await owner.get(f"{BASE}/nobody/models")
    assert (unknown.status, unknown.json()["code"]) == (404, "not_found")


async def test_a_disabled_model_is_neither_offered_nor_called(house: Served, owner: TierClient) -> None:
    assert (await owner.patch(f"{OPENAI}/models/disable", MODEL)).json() == {"result": "success"}
    setting = await ModelSetting.objects.aget(tenant=house.cast.alice.tenant)
    assert (setting.provider, setting.model, setting.enabled) == ("openai", "gpt-4o-mini", False)
    assert "gpt-4o-mini" not in await usable(owner, "llm")
    refused = await house.ask(response_mode="blocking")
    assert (refused.status, refused.json()["code"]) == (400, "model_currently_not_support")
    await owner.patch(f"{OPENAI}/models/enable", MODEL)
    assert "gpt-4o-mini" in await usable(owner, "llm")
    assert (await house.ask(response_mode="blocking", auto_generate_name=False)).status == 200


async def usable(client: TierClient, model_type: str) -> list[str]:
    groups = (await client.get(f"{CURRENT}/models/model-types/{model_type}")).json()["data"]
    return [entry["model"] for group in groups for entry in group["models"]]


async def test_only_models_that_can_be_called_are_offered(house: Served, owner: TierClient) -> None:
    groups = {row["provider"]: row for row in (await owner.get(f"{CURRENT}/models/model-types/llm")).json()["data"]}
    assert set(groups) == {"langgenius/openai/openai", "demo"}
    openai = groups["langgenius/openai/openai"]
    assert openai["status"] == "active" and openai["tenant_id"] == str(house.cast.alice.tenant.pk)
    assert not [entry for entry in openai["models"] if entry["deprecated"] or entry["status"] != "active"]
    wrong = await owner.get(f"{CURRENT}/models/model-types/telepathy")
    assert (wrong.status, wrong.json()["code"]) == (400, "invalid_param")


async def test_default_models_are_chosen_by_type(house: Served, owner: TierClient) -> None:
    found = (await owner.get(f"{CURRENT}/default-model", model_type="llm")).json()["data"]
    assert (found["model"], found["provider"]["provider"]) == ("gpt-4o-mini", "langgenius/openai/openai")
    assert (await owner.get(f"{CURRENT}/default-model", model_type="rerank")).json() == {"data": None}
    chosen = [
        {"model_type": "llm", "provider": "langgenius/openai/openai", "model": "gpt-4o"},
        {"model_type": "tts"},
    ]
    assert (await owner.post(f"{CURRENT}/default-model", {"model_settings": chosen})).json() == {"result": "success"}
    rows = DefaultModel.objects.for_tenant(house.cast.alice.tenant)
    assert (await rows.aget(model_type="llm")).model == "gpt-4o"
    assert (await rows.aget(model_type="tts")).model == "tts-1"
    assert (await owner.get(f"{CURRENT}/default-model")).json()["params"] == "model_type"


@pytest.mark.parametrize(
    "choice",
    [
        {"model_type": "llm", "provider": "nobody", "model": "x"},
        {"model_type": "llm", "provider": "anthropic", "model": "claude-sonnet-4-5"},
        {"model_type": "rerank", "provider": "openai", "model": "x"},
        {"model_type": "telepathy", "provider": "openai", "model": "x"},
    ],
)
async def test_a_model_that_cannot_be_called_does_not_become_the_default(
    house: Served, owner: TierClient, choice: dict[str, str]
) -> None:
    before = [row async for row in DefaultModel.objects.order_by("pk").values()]
    answer = await owner.post(f"{CURRENT}/default-model", {"model_settings": [choice]})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")
    assert [row async for row in DefaultModel.objects.order_by("pk").values()] == before


async def test_a_model_that_only_the_tenant_knows_is_listed_once_it_is_chosen(house: Served, owner: TierClient) -> None:
    choice = {"model_type": "llm", "provider": "openai", "model": "ft:gpt-4o:acme"}
    assert (await owner.post(f"{CURRENT}/default-model", {"model_settings": [choice]})).status == 200
    assert "ft:gpt-4o:acme" in await usable(owner, "llm")


async def test_parameter_rules_make_a_form(owner: TierClient) -> None:
    rules = (await owner.get(f"{OPENAI}/models/parameter-rules", model="gpt-4o-mini")).json()["data"]
    named = {rule["name"]: rule for rule in rules}
    temperature = named["temperature"]
    assert temperature["label"] == {"en_US": "Temperature", "zh_Hans": "Temperature"}
    assert (temperature["min"], temperature["max"], temperature["default"], temperature["precision"]) == (0, 2, 0.7, 2)
    assert (temperature["type"], temperature["use_template"], temperature["required"]) == ("float", "temperature", False)
    assert temperature["help"]["en_US"] and temperature["options"] == []
    assert named["response_format"]["options"] == ["text", "json_object", "json_schema"]
    assert (await owner.get(f"{OPENAI}/models/parameter-rules")).json()["params"] == "model"


async def test_the_installation_has_no_quota_to_prefer(owner: TierClient) -> None:
    path = f"{OPENAI}/preferred-provider-type"
    assert (await owner.post(path, {"preferred_provider_type": "custom"})).json() == {"result": "success"}
    refused = await owner.post(path, {"preferred_provider_type": "system"})
    assert (refused.status, refused.json()["params"]) == (400, "preferred_provider_type")


async def test_an_icon_is_a_picture_without_sign_in_and_cannot_run_anything(house: Served, owner: TierClient) -> None:
    address = (await provider(owner, "langgenius/openai/openai"))["icon_small"]["en_US"]
    path = address[address.index("/console/api") :]
    answer = await house.call("GET", path, headers={"Authorization": ""})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert answer.body.startswith(b"<svg ") and b"script" not in answer.body
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for wrong in (path.replace("openai/openai", "openai/nobody"), path.replace("icon_small", "favicon")):
        assert (await house.call("GET", wrong, headers={"Authorization": ""})).status == 404


READS = [
    BASE,
    f"{OPENAI}/models",
    f"{BASE}/openai_api_compatible/models",
    f"{OPENAI}/credentials",
    f"{OPENAI}/models/credentials?model=gpt-4o-mini&model_type=llm",
    f"{OPENAI}/models/credentials?model=own&model_type=llm",
    f"{OPENAI}/models/parameter-rules?model=own",
    f"{CURRENT}/models/model-types/llm",
    f"{CURRENT}/default-model?model_type=llm",
]


async def test_no_answer_holds_a_key_that_was_saved(house: Served, owner: TierClient) -> None:
    await sync_to_async(credentials.create)(
        tenant=house.cast.alice.tenant, provider="openai", values={"openai_api_key": KEY}, model_type="llm", model="own"
    )
    for path in READS:
        answer = await owner.get(path)
        assert answer.status == 200, path
        assert KEY.encode() not in answer.body, path


async def test_what_a_tenant_keeps_is_not_seen_by_another(house: Served, owner: TierClient) -> None:
    await sync_to_async(credentials.create)(
        tenant=house.cast.alice.tenant,
        provider="anthropic",
        values={"anthropic_api_key": "sk-ant-0123456789abcdef"},
        name="Alice's secret name",
        model_type="llm",
        model="alices-own-model",
    )
    stranger = await signed_in(house, house.cast.eve)
    for path in (*READS, f"{BASE}/anthropic/models"):
        answer = await stranger.get(path)
        assert answer.status == 200, path
        assert b"lices-own" not in answer.body and b"secret name" not in answer.body, path
    assert b"alices-own-model" in (await owner.get(f"{BASE}/anthropic/models")).body


async def test_members_look_and_admins_choose(house: Served) -> None:
    norma = await signed_in(house, house.cast.norma)
    for path in READS:
        status = (await norma.get(path)).status
        assert status == (403 if "credentials" in path else 200), path
    refused = await norma.post(f"{CURRENT}/default-model", {"model_settings": []})
    assert (refused.status, refused.json()["code"]) == (403, "forbidden")
    for path in READS:
        assert (await house.call("GET", f"/console/api{path}", headers={"Authorization": ""})).status == 401


def test_the_lists_cost_three_queries(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    principal = cast.alice.principal
    with django_assert_num_queries(3):
        providers.list_all(principal)
    with django_assert_num_queries(3):
        providers.usable_models(principal, "llm")
