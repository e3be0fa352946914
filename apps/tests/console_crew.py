"""Who calls the Console API in tests of apps: Acme's owner, editor and normal member, and Eve, who has no business there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Answer, Served

from .contract import assert_error


@dataclass(frozen=True, slots=True)
class Crew:
    house: Served
    alice: TierClient
    bob: TierClient
    norma: TierClient
    eve: TierClient

    async def new_app(self, **fields: Any) -> dict[str, Any]:
        """An app that Bob makes."""
        answer = await self.bob.post("/apps", {"name": "Whales", "mode": "chat", **fields})
        assert answer.status == 201, answer.body
        body: dict[str, Any] = answer.json()
        return body

    async def assert_only_for(self, method: str, path: str, *, editors: bool, json: Any = None) -> None:
        """Eve finds nothing there, whoever she is at home; Norma, and Bob where it takes an admin, may not."""
        assert_error(await self.eve.call(method, path, json=json), 404, "app_not_found")
        for who in (self.norma,) if editors else (self.norma, self.bob):
            assert_error(await who.call(method, path, json=json), 403, "forbidden")
        nobody = TierClient(self.house, "/console/api", {"Authorization": ""})
        assert_error(await nobody.call(method, path, json=json), 401, "unauthorized")


async def gather(house: Served) -> Crew:
    cast = house.cast
    return Crew(house, *[await signed_in(house, person) for person in (cast.alice, cast.bob, cast.norma, cast.eve)])


def data(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def names(answer: Answer) -> list[str]:
    return [row["name"] for row in data(answer)]
