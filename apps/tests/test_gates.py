"""The gates of the Service API: whose key opens it, and what closes it again."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Tenant
from accounts.models.tenant import TenantStatus
from apps.models import ApiToken, EndUser
from apps.models.token import TokenKind
from apps.services import apps, tokens
from difyproj.testing.served import Answer, Served

from .contract import assert_error

EVERYWHERE = ["/v1/info", "/v1/parameters", "/v1/meta", "/v1/site", "/v1/conversations", "/v1/app/feedbacks"]


def assert_unauthorized(answer: Answer) -> None:
    assert_error(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


async def call_with(house: Served, authorization: str | None, path: str = "/v1/info") -> Answer:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with house.client.get(house.url + path, headers=headers) as response:
        return Answer(response.status, response.headers, await response.read())


@pytest.mark.parametrize("path", EVERYWHERE)
async def test_without_a_header_nobody_comes_in(house: Served, path: str) -> None:
    assert_unauthorized(await call_with(house, None, path))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic {token}", "{token}", "Token {token}", "Bearer{token}"])
async def test_a_malformed_header_is_refused(house: Served, header: str) -> None:
    assert_unauthorized(await call_with(house, header.replace("{token}", house.chat.token)))


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  ", "bEaReR\t"])
async def test_the_scheme_is_read_in_any_case(house: Served, scheme: str) -> None:
    assert (await call_with(house, scheme + house.chat.token)).status == 200


@pytest.mark.parametrize("token", ["app-unknown", "x" * 10_000, "app-\u00e4\u00f6", "null", "../../etc/passwd"])
async def test_an_unknown_token_is_refused(house: Served, token: str) -> None:
    assert_unauthorized(await call_with(house, f"Bearer {token}"))


async def test_a_knowledge_key_does_not_open_an_app(house: Served) -> None:
    _, raw = await sync_to_async(tokens.create)(tenant=house.cast.alice.tenant, kind=TokenKind.DATASET)
    assert_unauthorized(await call_with(house, f"Bearer {raw}"))


async def test_a_key_that_is_switched_off_is_refused_until_it_is_on_again(house: Served) -> None:
    assert (await house.call("GET", "/v1/info")).status == 200
    row = await ApiToken.objects.aget(app=house.chat.app)
    await sync_to_async(tokens.set_active)(row, is_active=False)
    assert_unauthorized(await house.call("GET", "/v1/info"))
    await sync_to_async(tokens.set_active)(row, is_active=True)
    assert (await house.call("GET", "/v1/info")).status == 200


async def test_a_deleted_key_is_refused(house: Served) -> None:
    await house.call("GET", "/v1/info")
    await sync_to_async(tokens.delete)(await ApiToken.objects.aget(app=house.chat.app))
    assert_unauthorized(await house.call("GET", "/v1/info"))


@pytest.mark.parametrize(
    ("change", "code"), [({"enable_api": False}, "app_api_disabled"), ({"status": "suspended"}, "app_abnormal_status")]
)
async def test_an_app_that_does_not_serve_says_so(house: Served, change: dict[str, Any], code: str) -> None:
    assert (await house.call("GET", "/v1/info")).status == 200
    await sync_to_async(apps.update)(house.chat.app, **change)
    for answer in (await house.call("GET", "/v1/info"), await house.ask()):
        assert_error(answer, 403, code)
    assert (await house.call("GET", "/v1/info", key=house.completion)).status == 200
    assert not await EndUser.objects.aexists()


async def test_the_keys_of_an_archived_workspace_are_refused(house: Served) -> None:
    assert (await house.call("GET", "/v1/info")).status == 200

    def archive() -> None:
        tenant = Tenant.objects.get(pk=house.cast.alice.tenant.pk)
        tenant.status = TenantStatus.ARCHIVED
        tenant.save(update_fields=["status"])

    await sync_to_async(archive)()
    for key in (house.chat, house.completion):
        assert_error(await house.call("GET", "/v1/info", key=key), 403, "workspace_archived")
    assert (await house.call("GET", "/v1/info", key=house.foreign)).status == 200


async def test_a_key_is_kept_as_a_hash_and_its_use_is_noted(house: Served) -> None:
    await house.call("GET", "/v1/info")
    row = await ApiToken.objects.aget(app=house.chat.app)
    assert row.last_used_at is not None
    assert house.chat.token not in str(row.__dict__)
    used = row.last_used_at
    await house.call("GET", "/v1/info")
    await row.arefresh_from_db()
    assert row.last_used_at == used


CHAT_ONLY: list[tuple[str, str, Any]] = [
    ("POST", "/v1/chat-messages", {"inputs": {}, "query": "x", "user": "u1"}),
    ("POST", "/v1/chat-messages/x/stop", {"user": "u1"}),
    ("GET", "/v1/messages?conversation_id=x", None),
    ("GET", "/v1/messages/x/suggested?user=u1", None),
    ("GET", "/v1/conversations", None),
    ("DELETE", "/v1/conversations/x", {}),
    ("POST", "/v1/conversations/x/name", {}),
    ("GET", "/v1/conversations/x/variables", None),
    ("PUT", "/v1/conversations/x/variables/y", {"value": 1}),
]
COMPLETION_ONLY: list[tuple[str, str, Any]] = [
    ("POST", "/v1/completion-messages", {"inputs": {}, "user": "u1"}),
    ("POST", "/v1/completion-messages/x/stop", {"user": "u1"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHAT_ONLY)
async def test_chat_routes_refuse_other_modes(house: Served, method: str, path: str, body: Any) -> None:
    assert_error(await house.call(method, path, key=house.completion, json=body), 400, "not_chat_app")


@pytest.mark.parametrize(("method", "path", "body"), COMPLETION_ONLY)
async def test_completion_routes_refuse_other_modes(house: Served, method: str, path: str, body: Any) -> None:
    assert_error(await house.call(method, path, json=body), 400, "app_unavailable")


@pytest.mark.parametrize("change", [{"mode": "workflow"}, {"mode": "agent-chat"}, {"mode": "advanced-chat"}])
async def test_modes_that_are_not_built_yet_are_unavailable(house: Served, change: dict[str, Any]) -> None:
    await sync_to_async(apps.update)(house.chat.app, **change)
    answer = await house.ask()
    expected = "not_chat_app" if change["mode"] == "workflow" else "app_unavailable"
    assert_error(answer, 400, expected)


@pytest.mark.parametrize("config", [{"model": {}}, {"user_input_form": [{"paragraph": "no object"}]}])
async def test_a_broken_configuration_makes_the_app_unavailable(house: Served, config: dict[str, Any]) -> None:
    def damage() -> None:
        app = house.chat.app
        app.config = {**app.config, **config}
        app.save()

    await sync_to_async(damage)()
    assert_error(await house.ask(), 400, "app_unavailable")
