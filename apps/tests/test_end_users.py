"""GET /v1/end-users/{id}: one of the app's people."""

from __future__ import annotations

from datetime import datetime

import pytest

from apps.models import EndUser
from difyproj.testing.served import Served

from .contract import UNKNOWN_ID, assert_error


async def test_an_end_user_is_shown_to_the_apps_key(house: Served) -> None:
    await house.ask(response_mode="blocking")
    user = await EndUser.objects.aget()
    body = (await house.call("GET", f"/v1/end-users/{user.pk}")).json()
    assert set(body) == {
        "id", "tenant_id", "app_id", "type", "external_user_id", "name", "is_anonymous", "session_id", "created_at",
        "updated_at",
    }  # fmt: skip
    assert (body["id"], body["session_id"], body["external_user_id"]) == (str(user.pk), "u1", "u1")
    assert (body["type"], body["is_anonymous"]) == ("service-api", False)
    assert (body["tenant_id"], body["app_id"]) == (str(house.cast.alice.tenant.pk), str(house.chat.app.pk))
    assert datetime.fromisoformat(body["created_at"]).tzinfo is not None


async def test_the_anonymous_one_is_marked(house: Served) -> None:
    await house.call("GET", "/v1/conversations")
    user = await EndUser.objects.aget()
    body = (await house.call("GET", f"/v1/end-users/{user.pk}")).json()
    assert (body["is_anonymous"], body["session_id"], body["external_user_id"]) == (True, "DEFAULT-USER", None)


@pytest.mark.parametrize("unknown", [UNKNOWN_ID, "no-uuid", "' OR 1=1 --"])
async def test_an_unknown_one_is_not_found(house: Served, unknown: str) -> None:
    assert_error(await house.call("GET", f"/v1/end-users/{unknown}"), 404, "end_user_not_found")


async def test_other_apps_do_not_see_the_person(house: Served) -> None:
    await house.ask(response_mode="blocking")
    user = await EndUser.objects.aget()
    for key in (house.completion, house.foreign):
        assert_error(await house.call("GET", f"/v1/end-users/{user.pk}", key=key), 404, "end_user_not_found")
