"""Keys of the Knowledge API on the Console: shown once, ten at most, of one workspace."""

from __future__ import annotations

import asyncio

import pytest

from apps.models import ApiToken
from apps.models.token import TokenKind
from difyproj.kernel import secrets
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Served

KEYS = "/datasets/api-keys"


@pytest.fixture
async def owner(house: Served) -> TierClient:
    return await signed_in(house, house.cast.alice)


async def test_a_key_is_shown_when_it_is_made_and_never_again(house: Served, owner: TierClient) -> None:
    answer = await owner.post(KEYS)
    made = answer.json()
    assert (answer.status, made["type"]) == (200, "dataset")
    row = await ApiToken.objects.aget(pk=made["id"])
    assert made["token"].startswith("dataset-") and row.token_hash == secrets.hash_token(made["token"])
    assert (row.kind, row.tenant_id, row.app_id) == (TokenKind.DATASET, house.cast.alice.tenant.pk, None)
    listed = await owner.get(KEYS)
    (shown,) = listed.json()["data"]
    assert shown["id"] == made["id"] and made["token"].encode() not in listed.body
    assert shown["token"].startswith("dataset-") and "*" in shown["token"]
    assert (await owner.delete(f"{KEYS}/{made['id']}")).status == 204
    assert (await owner.get(KEYS)).json() == {"data": []}
    assert (await owner.delete(f"{KEYS}/{made['id']}")).status == 404


async def test_there_are_ten_keys_at_most(house: Served, owner: TierClient) -> None:
    for _ in range(10):
        assert (await owner.post(KEYS)).status == 200
    refused = await owner.post(KEYS)
    assert (refused.status, refused.json()["code"]) == (400, "bad_request")
    assert await ApiToken.objects.filter(kind=TokenKind.DATASET).acount() == 10


async def test_ten_stays_the_limit_for_many_at_once(house: Served, owner: TierClient) -> None:
    answers = await asyncio.gather(*(owner.post(KEYS) for _ in range(14)))
    assert sorted(answer.status for answer in answers) == [200] * 10 + [400] * 4
    assert await ApiToken.objects.filter(kind=TokenKind.DATASET).acount() == 10


async def test_an_app_key_is_none_of_them_and_strangers_see_nothing(house: Served, owner: TierClient) -> None:
    app_key = await ApiToken.objects.aget(app=house.chat.app)
    assert (await owner.delete(f"{KEYS}/{app_key.pk}")).status == 404
    made = (await owner.post(KEYS)).json()["id"]
    stranger = await signed_in(house, house.cast.eve)
    assert (await stranger.get(KEYS)).json() == {"data": []}
    assert (await stranger.delete(f"{KEYS}/{made}")).status == 404
    assert await ApiToken.objects.filter(pk=made).aexists()


async def test_only_admins_make_and_revoke_keys(house: Served, owner: TierClient) -> None:
    made = (await owner.post(KEYS)).json()["id"]
    bob, norma = await signed_in(house, house.cast.bob), await signed_in(house, house.cast.norma)
    for client in (bob, norma):
        assert (await client.post(KEYS)).status == 403
        assert (await client.delete(f"{KEYS}/{made}")).status == 403
    assert ((await bob.get(KEYS)).status, (await norma.get(KEYS)).status) == (200, 403)
    assert (await house.call("GET", f"/console/api{KEYS}", headers={"Authorization": ""})).status == 401
    assert await ApiToken.objects.filter(kind=TokenKind.DATASET).acount() == 1


async def test_the_address_of_the_api_is_told(owner: TierClient) -> None:
    assert (await owner.get("/datasets/api-base-info")).json()["api_base_url"].endswith("/v1")
