"""Every error on every route of the Service API has the one shape of its family, and every cause has one."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from apps.services import apps
from difyproj.kernel import errors
from difyproj.testing.knowledge_contract import dataset_key
from difyproj.testing.served import Served
from difyproj.tiers.datasets import DatasetViewSet
from difyproj.tiers.errors import envelope, headers, status_of, translate

from .routes import METHODS, Route, routes
from .shapes import ODD_BODIES, ODD_IDS, assert_shape

OPEN = {"/v1/", "/v1/openapi.json", "/v1/docs", "/v1/redoc"}


ODD_QUERY = {"user": "u1", "limit": "x", "page": "-1"}


async def opening(house: Served, route: Route) -> dict[str, str]:
    """The credential that the route is for."""
    if not (isinstance(route.view, type) and issubclass(route.view, DatasetViewSet)):
        return {}
    return {"Authorization": f"Bearer {await sync_to_async(dataset_key)(house.cast.alice)}"}


def tier() -> list[Route]:
    return [route for route in routes("v1/") if route.path not in OPEN]


@pytest.mark.parametrize("route", tier(), ids=lambda route: route.path)
async def test_odd_requests_get_the_envelope(house: Served, route: Route) -> None:
    headers = await opening(house, route)
    for method in METHODS:
        for odd_id in ODD_IDS if route.parameters else ODD_IDS[:1]:
            path = route.path.format(**dict.fromkeys(route.parameters, odd_id))
            for body in ODD_BODIES:
                answer = await house.call(method.upper(), path, json=body, params=ODD_QUERY, headers=headers)
                assert_shape(answer, path, f"{method} {path} {body!r}: {answer.status} {answer.body[:200]!r}")


@pytest.mark.parametrize("route", tier(), ids=lambda route: route.path)
async def test_requests_without_a_key_get_the_envelope(house: Served, route: Route) -> None:
    path = route.path.format(**dict.fromkeys(route.parameters, "x"))
    for method in METHODS:
        answer = await house.call(method.upper(), path, headers={"Authorization": "Bearer wrong"})
        assert answer.status == 401
        assert_shape(answer, path, f"{method} {path}")


async def test_a_crash_gets_the_envelope_and_says_nothing(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: object) -> None:
        raise RuntimeError("SECRET detail")

    monkeypatch.setattr(apps, "info", crash)
    answer = await house.call("GET", "/v1/info")
    body = answer.json()
    assert (answer.status, body["code"], body["status"]) == (500, "internal_server_error", 500)
    assert b"SECRET" not in answer.body
    assert answer.headers["X-Request-ID"]


def family(base: type[errors.DomainError] = errors.DomainError) -> list[type[errors.DomainError]]:
    """The class and all below it that the kernel knows, each once."""
    found = [base, *(one for child in base.__subclasses__() for one in family(child))]
    return [one for one in dict.fromkeys(found) if one.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", family())
def test_every_member_of_the_family_has_a_code_and_a_status(kind: type[errors.DomainError]) -> None:
    error = kind()
    assert envelope(error) == {"code": kind.code, "message": error.message, "status": kind.status}
    assert kind.code.replace("_", "").isalnum()
    assert 400 <= kind.status < 600
    assert ("WWW-Authenticate" in headers(error)) is (kind.status == 401)


@pytest.mark.parametrize("cause", [RuntimeError("SECRET"), KeyError("SECRET"), MemoryError()])
def test_what_nobody_expected_is_an_internal_error(cause: Exception) -> None:
    error = translate(cause)
    assert (status_of(error), error.code) == (500, "internal_server_error")
    assert "SECRET" not in error.message
