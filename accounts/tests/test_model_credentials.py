"""Credentials of model providers on the Console API: asked about, kept sealed, switched, shared, never shown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import ModelCredential, ModelSetting
from accounts.services import credentials
from apps import generation
from difyproj.testing.cast import Person
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script

BASE = "/workspaces/current/model-providers/langgenius/openai/openai"
COMPATIBLE = "/workspaces/current/model-providers/openai_api_compatible"
NEW, OTHER, BAD = "sk-new-0123456789abcdefghij", "sk-other-0123456789abcdef", "sk-bad-0123456789abcdefghij"
MODEL = {"model": "gpt-4o-mini", "model_type": "llm"}


@pytest.fixture
async def owner(house: Served) -> TierClient:
    house.upstream.script = Script(keys={BAD: 401})
    return await signed_in(house, house.cast.alice)


def values(house: Served, key: str = NEW) -> dict[str, str]:
    return {"openai_api_key": key, "openai_api_base": house.upstream.url}


async def kept(person: Person, name: str) -> dict[str, str]:
    row = await ModelCredential.objects.select_related("tenant").aget(tenant=person.tenant, name=name)
    return await sync_to_async(credentials.get_values)(row)


async def row_of(house: Served, name: str) -> ModelCredential:
    return await ModelCredential.objects.aget(tenant=house.cast.alice.tenant, name=name)


async def add(house: Served, client: TierClient, name: str, key: str = NEW, **more: Any) -> ModelCredential:
    place = f"{BASE}/models/credentials" if more else f"{BASE}/credentials"
    answer = await client.post(place, {"name": name, "credentials": values(house, key), **more})
    assert (answer.status, answer.json()) == (201, {"result": "success"}), answer.body
    return await row_of(house, name)


async def test_a_credential_is_kept_after_the_provider_accepted_it(house: Served, owner: TierClient) -> None:
    await add(house, owner, "mine")
    assert await kept(house.cast.alice, "mine") == values(house)
    assert NEW in house.upstream.received[-1].headers["authorization"]


async def test_what_the_provider_refuses_is_not_kept_and_its_key_is_not_repeated(house: Served, owner: TierClient) -> None:
    answer = await owner.post(f"{BASE}/credentials", {"name": "bad", "credentials": values(house, BAD)})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")
    assert BAD.encode() not in answer.body
    assert not await ModelCredential.objects.filter(name="bad").aexists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"credentials": {}},
        {"credentials": {"openai_api_key": ["x"]}},
        {"credentials": "x"},
        {"credentials": {"openai_api_key": "a\0b"}},
        {"credentials": {"openai_api_key": "x" * 20_001}},
        {"credentials": {str(number): "x" for number in range(65)}},
    ],
)
async def test_a_form_that_is_not_filled_in_is_refused_without_asking(
    house: Served, owner: TierClient, body: dict[str, Any]
) -> None:
    answer = await owner.post(f"{BASE}/credentials", body)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")
    assert house.upstream.received == []


async def test_validation_tells_the_verdict_and_keeps_nothing(house: Served, owner: TierClient) -> None:
    good = await owner.post(f"{BASE}/credentials/validate", {"credentials": values(house)})
    assert (good.status, good.json()) == (200, {"result": "success"})
    bad = await owner.post(f"{BASE}/credentials/validate", {"credentials": values(house, BAD)})
    assert (bad.status, bad.json()["result"]) == (200, "error")
    assert bad.json()["error"]
    assert BAD.encode() not in bad.body
    inside = {"openai_api_key": NEW, "openai_api_base": "http://10.0.0.1"}
    refused = (await owner.post(f"{BASE}/credentials/validate", {"credentials": inside})).json()
    assert refused["result"] == "error"
    assert await ModelCredential.objects.filter(tenant=house.cast.alice.tenant).acount() == 1


async def test_a_stored_secret_is_masked_and_its_mask_keeps_it(house: Served, owner: TierClient) -> None:
    row = await add(house, owner, "mine")
    shown = (await owner.get(f"{BASE}/credentials", credential_id=str(row.pk))).json()["credentials"]
    assert shown["openai_api_base"] == house.upstream.url
    assert "*" in shown["openai_api_key"] and shown["openai_api_key"] != NEW
    body = {"credential_id": str(row.pk), "name": "renamed", "credentials": {**shown, "openai_organization": "org"}}
    assert (await owner.put(f"{BASE}/credentials", body)).json() == {"result": "success"}
    assert await kept(house.cast.alice, "renamed") == {**values(house), "openai_organization": "org"}
    hidden = {**values(house), "openai_api_key": "[__HIDDEN__]"}
    answer = await owner.put(f"{BASE}/credentials", {"credential_id": str(row.pk), "credentials": hidden})
    assert answer.status == 200
    assert await kept(house.cast.alice, "renamed") == values(house)


async def test_a_kept_secret_does_not_follow_a_new_address(house: Served, owner: TierClient) -> None:
    row = await add(house, owner, "mine")
    moved = {"openai_api_key": "[__HIDDEN__]", "openai_api_base": "https://evil.example/v1"}
    answer = await owner.put(f"{BASE}/credentials", {"credential_id": str(row.pk), "credentials": moved})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")
    assert await kept(house.cast.alice, "mine") == values(house)


async def test_names_are_given_and_taken_once(house: Served, owner: TierClient) -> None:
    for _ in range(2):
        assert (await owner.post(f"{BASE}/credentials", {"credentials": values(house)})).status == 201
    names = ModelCredential.objects.for_tenant(house.cast.alice.tenant).values_list("name", flat=True)
    assert [name async for name in names] == ["API KEY 1", "API KEY 2", "API KEY 3"]
    answer = await owner.post(f"{BASE}/credentials", {"name": "API KEY 1", "credentials": values(house)})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")


async def test_calls_use_the_credential_that_was_switched_to(house: Served, owner: TierClient) -> None:
    row = await add(house, owner, "mine")
    await house.ask(response_mode="blocking", auto_generate_name=False)
    assert "sk-test" in house.upstream.received[-1].headers["authorization"]
    answer = await owner.post(f"{BASE}/credentials/switch", {"credential_id": str(row.pk)})
    assert answer.json() == {"result": "success"}
    await house.ask(response_mode="blocking", auto_generate_name=False)
    assert NEW in house.upstream.received[-1].headers["authorization"]
    assert (await row_of(house, "mine")).current
    back = await ModelCredential.objects.exclude(pk=row.pk).aget(tenant=house.cast.alice.tenant)
    await owner.post(f"{BASE}/credentials/switch", {"credential_id": str(back.pk)})
    assert not (await row_of(house, "mine")).current


async def test_who_switches_at_the_same_time_leaves_one_current_credential(house: Served, owner: TierClient) -> None:
    rows = [await add(house, owner, name) for name in ("a", "b", "c")]
    switch = [owner.post(f"{BASE}/credentials/switch", {"credential_id": str(row.pk)}) for row in rows]
    assert {answer.status for answer in await asyncio.gather(*switch)} == {200}
    assert await ModelCredential.objects.filter(tenant=house.cast.alice.tenant, current=True).acount() == 1


async def test_a_deleted_credential_is_gone_and_the_next_one_serves(house: Served, owner: TierClient) -> None:
    row = await add(house, owner, "mine")
    await owner.post(f"{BASE}/credentials/switch", {"credential_id": str(row.pk)})
    assert (await owner.delete(f"{BASE}/credentials", {"credential_id": str(row.pk)})).status == 204
    assert (await owner.delete(f"{BASE}/credentials", {"credential_id": str(row.pk)})).status == 404
    await house.ask(response_mode="blocking", auto_generate_name=False)
    assert "sk-test" in house.upstream.received[-1].headers["authorization"]


async def test_a_custom_model_has_credentials_of_its_own(house: Served, owner: TierClient) -> None:
    custom = {"model": "my-llama", "model_type": "llm"}
    form = {"endpoint_url": house.upstream.url, "api_key": NEW, "context_size": "9000"}
    answer = await owner.post(f"{COMPATIBLE}/models/credentials", {**custom, "name": "lab", "credentials": form})
    assert answer.status == 201, answer.body
    row = await row_of(house, "lab")
    shown = (await owner.get(f"{COMPATIBLE}/models/credentials", **custom)).json()
    assert shown["current_credential_id"] == str(row.pk)
    assert shown["credentials"]["context_size"] == "9000"
    assert shown["available_credentials"] == [{"credential_id": str(row.pk), "credential_name": "lab"}]
    assert shown["load_balancing"]["enabled"] is False
    (entry,) = (await owner.get(f"{COMPATIBLE}/models")).json()["data"]
    assert (entry["model"], entry["fetch_from"], entry["status"]) == ("my-llama", "customizable-model", "active")
    assert entry["model_properties"] == {"mode": "chat", "context_size": 9000}
    changed = {**custom, "credential_id": str(row.pk), "credentials": {**form, "api_key": OTHER}}
    assert (await owner.put(f"{COMPATIBLE}/models/credentials", changed)).status == 200
    assert (await kept(house.cast.alice, "lab"))["api_key"] == OTHER
    assert (await owner.delete(f"{COMPATIBLE}/models", custom)).status == 204
    assert not await ModelCredential.objects.filter(model="my-llama").aexists()
    assert (await owner.get(f"{COMPATIBLE}/models")).json() == {"data": []}


async def test_a_models_credentials_are_switched_and_deleted_apart_from_the_providers(house: Served, owner: TierClient) -> None:
    first, second = await add(house, owner, "first", **MODEL), await add(house, owner, "second", OTHER, **MODEL)
    body = {**MODEL, "credential_id": str(second.pk)}
    assert (await owner.post(f"{BASE}/models/credentials/switch", body)).json() == {"result": "success"}
    await house.ask(response_mode="blocking", auto_generate_name=False)
    assert OTHER in house.upstream.received[-1].headers["authorization"]
    assert (await owner.post(f"{BASE}/credentials/switch", {"credential_id": str(first.pk)})).status == 404
    assert (await owner.delete(f"{BASE}/models/credentials", body)).status == 204
    assert (await owner.get(f"{BASE}/models/credentials", **MODEL)).json()["current_credential_name"] == "first"
    answer = await owner.post(f"{BASE}/models", {**MODEL, "config_from": "custom-model", "credential_id": str(first.pk)})
    assert answer.json() == {"result": "success"}
    assert (await row_of(house, "first")).current
    for route in ("models/credentials/validate", "models/load-balancing-configs/credentials-validate"):
        answer = await owner.post(f"{BASE}/{route}", {**MODEL, "credentials": values(house)})
        assert answer.json() == {"result": "success"}


async def test_balanced_calls_take_turns_and_spare_a_credential_that_fails(house: Served, owner: TierClient) -> None:
    wide = await ModelCredential.objects.aget(tenant=house.cast.alice.tenant)
    mine = await add(house, owner, "mine")
    configs = [{"credential_id": str(wide.pk)}, {"id": str(mine.pk), "enabled": True}]
    body = {**MODEL, "load_balancing": {"enabled": True, "configs": configs}}
    assert (await owner.post(f"{BASE}/models", body)).json() == {"result": "success"}
    for _ in range(2):
        await house.ask(response_mode="blocking", auto_generate_name=False)
    used = {request.headers["authorization"] for request in house.upstream.received[-2:]}
    assert len(used) == 2
    house.upstream.script = Script(keys={NEW: 401})
    for _ in range(2):
        assert (await house.ask(response_mode="blocking", auto_generate_name=False)).status == 200
    assert generation.cooling_seconds("openai", str(mine.pk)) > 0
    shown = (await owner.get(f"{BASE}/models/credentials", **MODEL)).json()["load_balancing"]
    resting = {config["name"]: config["in_cooldown"] for config in shown["configs"]}
    assert shown["enabled"] and resting == {wide.name: False, "mine": True}
    one = {**MODEL, "credentials": {**values(house), "openai_api_key": "[__HIDDEN__]"}}
    house.upstream.script = Script()
    path = f"{BASE}/models/load-balancing-configs/{mine.pk}/credentials-validate"
    assert (await owner.post(path, one)).json() == {"result": "success"}
    assert NEW in house.upstream.received[-1].headers["authorization"]


async def test_a_new_credential_may_come_with_the_choice_of_those_that_take_turns(house: Served, owner: TierClient) -> None:
    configs = [{"name": "__inherit__"}, {"name": "extra", "credentials": values(house)}, {"id": "gone", "enabled": False}]
    body = {**MODEL, "load_balancing": {"enabled": True, "configs": configs}}
    assert (await owner.post(f"{BASE}/models", body)).status == 200
    extra = await row_of(house, "extra")
    setting = await ModelSetting.objects.aget(tenant=house.cast.alice.tenant)
    assert setting.load_balancing_enabled and setting.spread_over[1:] == [str(extra.pk)] and len(setting.spread_over) == 2
    body["load_balancing"] = {"enabled": True, "configs": [{"id": str((await row_of_eve(house)).pk)}]}
    answer = await owner.post(f"{BASE}/models", body)
    assert (answer.status, answer.json()["params"]) == (400, "load_balancing")
    assert (await owner.post(f"{BASE}/models", {**MODEL, "load_balancing": {"enabled": False}})).status == 200
    assert not (await ModelSetting.objects.aget(tenant=house.cast.alice.tenant)).load_balancing_enabled


async def test_a_custom_model_is_added_and_changed_as_older_clients_do_it(house: Served, owner: TierClient) -> None:
    custom = {"model": "my-llama", "model_type": "llm"}
    form = {"endpoint_url": house.upstream.url, "api_key": NEW}
    assert (await owner.post(f"{COMPATIBLE}/models", {**custom, "credentials": form})).json() == {"result": "success"}
    changed = {**form, "api_key": "[__HIDDEN__]", "context_size": "9000"}
    assert (await owner.post(f"{COMPATIBLE}/models", {**custom, "credentials": changed})).status == 200
    row = await ModelCredential.objects.select_related("tenant").aget(model="my-llama")
    assert await sync_to_async(credentials.get_values)(row) == {**form, "context_size": "9000"}
    refused = await owner.post(f"{COMPATIBLE}/models", {**custom, "credentials": {**form, "api_key": BAD}})
    assert (refused.status, refused.json()["code"]) == (400, "invalid_param")
    assert await ModelCredential.objects.filter(model="my-llama").acount() == 1


async def row_of_eve(house: Served) -> ModelCredential:
    return await ModelCredential.objects.aget(tenant=house.cast.eve.tenant)


WRITES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "credentials", {"credentials": {}}),
    ("PUT", "credentials", {"credential_id": "{id}", "credentials": {"openai_api_key": "[__HIDDEN__]"}}),
    ("DELETE", "credentials", {"credential_id": "{id}"}),
    ("POST", "credentials/switch", {"credential_id": "{id}"}),
    ("POST", "credentials/validate", {"credentials": {}}),
    ("GET", "credentials", None),
    ("GET", "models/credentials", None),
    ("POST", "models/credentials", {**MODEL, "credentials": {}}),
    ("PUT", "models/credentials", {**MODEL, "credential_id": "{id}", "credentials": {}}),
    ("DELETE", "models/credentials", {**MODEL, "credential_id": "{id}"}),
    ("POST", "models/credentials/switch", {**MODEL, "credential_id": "{id}"}),
    ("POST", "models/credentials/validate", {**MODEL, "credentials": {}}),
    ("POST", "models", {**MODEL, "credential_id": "{id}"}),
    ("DELETE", "models", MODEL),
    ("PATCH", "models/enable", MODEL),
    ("PATCH", "models/disable", MODEL),
    ("POST", "models/load-balancing-configs/credentials-validate", {**MODEL, "credentials": {}}),
    ("POST", "models/load-balancing-configs/{id}/credentials-validate", {**MODEL, "credentials": {}}),
    ("POST", "preferred-provider-type", {"preferred_provider_type": "custom"}),
]


async def test_editors_and_users_do_not_touch_credentials(house: Served) -> None:
    wide = await ModelCredential.objects.aget(tenant=house.cast.alice.tenant)
    for person in (house.cast.bob, house.cast.norma):
        client = await signed_in(house, person)
        for method, path, body in WRITES:
            answer = await client.call(method, f"{BASE}/{path.format(id=wide.pk)}", json=filled(body, str(wide.pk)))
            assert (answer.status, answer.json()["code"]) == (403, "forbidden"), (method, path)
    anonymous = await house.call("GET", f"/console/api{BASE}/credentials", headers={"Authorization": ""})
    assert anonymous.status == 401


async def test_a_stranger_reaches_no_credential_of_another_tenant(house: Served) -> None:
    wide, stranger = await ModelCredential.objects.aget(tenant=house.cast.alice.tenant), await signed_in(house, house.cast.eve)
    for method, path, body in WRITES:
        if body is None or "{id}" not in (path + str(body)):
            continue
        answer = await stranger.call(method, f"{BASE}/{path.format(id=wide.pk)}", json=filled(body, str(wide.pk)))
        assert (answer.status, answer.json()["code"]) == (404, "not_found"), (method, path, answer.body)
    for path in ("credentials", "models/credentials"):
        answer = await stranger.get(f"{BASE}/{path}", credential_id=str(wide.pk), **MODEL)
        assert answer.status == 404
    after = await ModelCredential.objects.aget(pk=wide.pk)
    assert (after.sealed, after.current, after.name) == (wide.sealed, False, wide.name)


def filled(body: dict[str, Any] | None, credential_id: str) -> dict[str, Any] | None:
    return body and {name: credential_id if value == "{id}" else value for name, value in body.items()}
