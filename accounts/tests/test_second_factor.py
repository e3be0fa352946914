"""The second factor: RFC 6238's codes, each good once, codes on paper, sealed at rest, on and off by the password alone."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.models import Account, Session
from accounts.services import accounts, second_factor
from accounts.services.second_factor import SecondFactorRequired, SecondFactorWrong
from difyproj.infra import limits
from difyproj.infra.models import AuditEntry
from difyproj.kernel import clock
from difyproj.kernel.errors import Conflict, InvalidParam, TooManyRequests
from difyproj.testing.cast import PASSWORD, Cast, Person
from difyproj.testing.console import signed_in
from difyproj.testing.served import Served

NOON = "2026-11-22T12:00:00+00:00"


def now_step() -> int:
    return clock.epoch(clock.now()) // second_factor.STEP


def turned_on(account: Account, *, steps_ago: int = 0) -> tuple[str, list[str]]:
    """The secret in the app, and the paper codes. The code that was shown to turn it on is used."""
    setup = second_factor.begin(account)
    code = second_factor.code_at(setup.secret, now_step() - steps_ago)
    return setup.secret, second_factor.confirm(account, token=setup.token, code=code, password=PASSWORD)


@pytest.fixture
def noon() -> object:
    with time_machine.travel(NOON, tick=False) as moment:
        yield moment


@pytest.mark.parametrize(
    ("moment", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_rfc(moment: int, code: str) -> None:
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert second_factor.code_at(secret, moment // second_factor.STEP) == code


def test_a_setup_is_shown_once_and_kept_nowhere(alice: Person) -> None:
    setup = second_factor.begin(alice.account)
    assert setup.url.startswith("otpauth://totp/difyproj%3Aalice%40acme.example?secret=")
    assert f"secret={setup.secret}" in setup.url
    assert setup.svg.lstrip().startswith("<?xml") or setup.svg.startswith("<svg")
    assert not Authenticator.objects.exists()
    assert not second_factor.is_on(alice.account)
    second_factor.demand(alice.account, "")


def test_it_is_on_after_a_first_code_and_the_secret_is_sealed(noon: object, alice: Person) -> None:
    secret, papers = turned_on(alice.account)
    assert second_factor.is_on(alice.account)
    assert len(set(papers)) == second_factor.PAPER_CODES == second_factor.paper_codes_left(alice.account)
    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in kept
    assert not any(paper.replace("-", "") in kept or paper in kept for paper in papers)
    with pytest.raises(Conflict):
        second_factor.begin(alice.account)


def test_it_stays_off_without_the_code_the_password_or_the_own_setup(noon: object, cast: Cast) -> None:
    setup = second_factor.begin(cast.alice.account)
    right = second_factor.code_at(setup.secret, now_step())
    with pytest.raises(SecondFactorWrong):
        second_factor.confirm(cast.alice.account, token=setup.token, code="000000", password=PASSWORD)
    with pytest.raises(accounts.CurrentPasswordIncorrect):
        second_factor.confirm(cast.alice.account, token=setup.token, code=right, password="wrong")
    for account, token in ((cast.eve.account, setup.token), (cast.alice.account, "nonsense"), (cast.alice.account, "é")):
        with pytest.raises(InvalidParam):
            second_factor.confirm(account, token=token, code=right, password=PASSWORD)
    with time_machine.travel(clock.now() + second_factor.SETUP_LIFE, tick=False), pytest.raises(InvalidParam):
        second_factor.confirm(cast.alice.account, token=setup.token, code=right, password=PASSWORD)
    assert not Authenticator.objects.exists()


def test_a_code_is_good_around_its_time_and_once(noon: object, alice: Person) -> None:
    secret, _ = turned_on(alice.account, steps_ago=1)
    step = now_step()
    for wrong in (step - 2, step + 2):
        assert not second_factor.check(alice.account, second_factor.code_at(secret, wrong))
    assert not second_factor.check(alice.account, second_factor.code_at(secret, step - 1)), "the code of the set-up"
    present = second_factor.code_at(secret, step)
    assert second_factor.check(alice.account, f" {present[:3]} {present[3:]} ")
    assert not second_factor.check(alice.account, present)
    assert second_factor.check(alice.account, second_factor.code_at(secret, step + 1))
    assert not second_factor.check(alice.account, present), "an older code after a newer one"


def test_a_paper_code_is_good_once_and_new_ones_replace_the_old(noon: object, alice: Person) -> None:
    _, papers = turned_on(alice.account)
    assert second_factor.check(alice.account, papers[0].lower().replace("-", " "))
    assert not second_factor.check(alice.account, papers[0])
    assert second_factor.paper_codes_left(alice.account) == second_factor.PAPER_CODES - 1
    fresh = second_factor.renew_paper_codes(alice.account, password=PASSWORD)
    assert not second_factor.check(alice.account, papers[1])
    assert second_factor.check(alice.account, fresh[1])
    with pytest.raises(accounts.CurrentPasswordIncorrect):
        second_factor.renew_paper_codes(alice.account, password="wrong")


@pytest.mark.parametrize("which", ["app", "paper"])
def test_of_many_uses_at_once_one_counts(
    alice: Person, settings: Settings, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(second_factor, "RATE", "")
    with time_machine.travel(NOON, tick=False):
        secret, papers = turned_on(alice.account, steps_ago=1)
        code = second_factor.code_at(secret, now_step()) if which == "app" else papers[0]

        def use(_: int) -> bool:
            try:
                return second_factor.check(alice.account, code)
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as threads:
            assert sorted(threads.map(use, range(6))) == [False] * 5 + [True]


def test_the_audit_log_notes_that_it_is_on_and_keeps_no_secret(noon: object, alice: Person) -> None:
    turned_on(alice.account)
    second_factor.remove(alice.account, password=PASSWORD)
    noted = AuditEntry.objects.filter(target_kind="mfa.authenticator")
    assert sorted(noted.values_list("action", flat=True)) == ["authenticator.created"] * 2 + ["authenticator.deleted"] * 2
    for entry in noted:
        data = (entry.after or entry.before or {})["data"]
        assert set(data.values()) == {"***REDACTED***"}


@pytest.mark.parametrize("code", ["", "12345", "1234567", "\0", "١٢٣٤٥٦", "x" * 5000, "000000"])
def test_nonsense_is_no_code(noon: object, alice: Person, code: str) -> None:
    turned_on(alice.account)
    assert not second_factor.check(alice.account, code)


def test_tries_are_counted(noon: object, alice: Person) -> None:
    secret, _ = turned_on(alice.account, steps_ago=1)
    for _ in range(10):
        second_factor.check(alice.account, "000000")
    with pytest.raises(TooManyRequests):
        second_factor.check(alice.account, second_factor.code_at(secret, now_step()))


def test_what_a_sign_in_demands(noon: object, alice: Person, eve: Person) -> None:
    secret, _ = turned_on(alice.account, steps_ago=1)
    second_factor.demand(eve.account, "")
    with pytest.raises(SecondFactorRequired):
        second_factor.demand(alice.account, "")
    with pytest.raises(SecondFactorWrong):
        second_factor.demand(alice.account, "000000")
    second_factor.demand(alice.account, second_factor.code_at(secret, now_step()))


def test_secrets_open_after_the_instance_key_changed_and_are_sealed_anew(
    noon: object, alice: Person, settings: Settings
) -> None:
    secret, _ = turned_on(alice.account, steps_ago=1)
    settings.INSTANCE_KEYS_PREVIOUS = [settings.INSTANCE_KEY]
    settings.INSTANCE_KEY = b"k" * 32
    assert second_factor.check(alice.account, second_factor.code_at(secret, now_step()))
    call_command("rotate_keys", stdout=io.StringIO())
    settings.INSTANCE_KEYS_PREVIOUS = []
    assert second_factor.check(alice.account, second_factor.code_at(secret, now_step() + 1))
    settings.INSTANCE_KEY = b"x" * 32
    assert second_factor.reseal() == (0, ["alice@acme.example"])


def test_an_account_without_a_password_needs_none(noon: object, cast: Cast) -> None:
    account = accounts.create(email="social@acme.example", name="Social")
    turned_on(account)
    second_factor.remove(account, password="")
    assert not second_factor.is_on(account)


async def test_the_routes_turn_it_on_and_off(house: Served, alice: Person, eve: Person) -> None:
    client, evil = await signed_in(house, alice), await signed_in(house, eve)
    assert (await client.get("/account/second-factor")).json() == {"enabled": False, "recovery_codes_left": 0}
    setup = (await client.post("/account/second-factor")).json()
    assert set(setup) == {"token", "secret", "url", "svg"}
    body = {"token": setup["token"], "code": second_factor.code_at(setup["secret"], now_step()), "password": PASSWORD}
    stolen = await evil.post("/account/second-factor/confirm", body)
    assert (stolen.status, stolen.json()["code"]) == (400, "invalid_param")
    confirmed = (await client.post("/account/second-factor/confirm", body)).json()
    assert confirmed["result"] == "success" and len(confirmed["recovery_codes"]) == 10
    assert (await client.get("/account/second-factor")).json() == {"enabled": True, "recovery_codes_left": 10}
    assert (await evil.get("/account/second-factor")).json()["enabled"] is False
    renewed = (await client.post("/account/second-factor/recovery-codes", {"password": PASSWORD})).json()
    assert not set(renewed["recovery_codes"]) & set(confirmed["recovery_codes"])
    refused = await client.delete("/account/second-factor", {"password": "wrong"})
    assert (refused.status, refused.json()["code"]) == (400, "current_password_incorrect")
    assert (await client.delete("/account/second-factor", {"password": PASSWORD})).json() == {"result": "success"}
    assert not await Authenticator.objects.aexists()


async def test_the_console_asks_for_it_at_sign_in(house: Served, alice: Person) -> None:
    _, papers = await sync_to_async(turned_on)(alice.account)
    body = {"email": "alice@acme.example", "password": PASSWORD}
    open_door = {"Authorization": ""}
    refused = await house.call("POST", "/console/api/login", headers=open_door, json=body)
    assert (refused.status, refused.json()["code"]) == (401, "second_factor_required")
    assert not await Session.objects.aexists()
    answer = await house.call("POST", "/console/api/login", headers=open_door, json={**body, "second_factor_code": papers[0]})
    assert answer.status == 200
    assert await Session.objects.acount() == 1


@pytest.fixture
def sign_in_to_admin(cast: Cast, client: Client) -> Callable[..., int]:
    """A try at the admin's login form; the status of the admin's first page then."""
    Account.objects.filter(pk=cast.alice.account.pk).update(is_staff=True, is_superuser=True)

    def attempt(**fields: str) -> int:
        client.post("/admin/login/", {"username": "alice@acme.example", "password": PASSWORD, **fields})
        return client.get("/admin/").status_code

    return attempt


def test_the_admin_asks_for_it_too(cast: Cast, client: Client, sign_in_to_admin: Callable[..., int]) -> None:
    _, papers = turned_on(cast.alice.account)
    page = client.post("/admin/login/", {"username": "alice@acme.example", "password": PASSWORD}).content.decode()
    assert 'name="code"' in page and 'form="login-form"' in page
    assert client.get("/admin/").status_code == 302
    assert sign_in_to_admin(code="000000") == 302
    assert sign_in_to_admin(code=papers[0]) == 200


def test_the_admins_login_counts_tries(cast: Cast, sign_in_to_admin: Callable[..., int], settings: Settings) -> None:
    settings.SIGN_IN_RATE = "2/h"
    limits.reset()
    for _ in range(3):
        assert sign_in_to_admin(password="wrong") == 302
    assert sign_in_to_admin() == 302
