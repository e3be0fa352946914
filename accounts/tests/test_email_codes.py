"""Codes by e-mail: to sign in, to set a new password, to register. Nobody learns who has an account, and nobody guesses."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from accounts.models import Account, AccountStatus, Challenge, Membership, Purpose, Session
from accounts.services import accounts, challenges, password_resets, sessions, sign_in
from accounts.services.refusals import InvalidToken, LoginLimit, ResetLimit, SendIpLimit, WrongCode
from difyproj.infra import jobs
from difyproj.infra.models import OutgoingMail
from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError
from difyproj.testing.browser import Browser, set_cookies
from difyproj.testing.cast import PASSWORD, Cast, Person
from difyproj.testing.mailbox import code_for, letters_to, link_for
from difyproj.testing.queries import counted

ALICE, NOBODY = "alice@acme.example", "nobody@nowhere.example"
NEW_PASSWORD = "an entirely new phrase"
LETTERS, CODE = sync_to_async(letters_to), sync_to_async(code_for)


async def ask(browser: Browser, path: str, email: str, **fields: Any) -> str:
    """The token of a flow that begins at ``path``."""
    answer = await browser.post(path, {"email": email, **fields})
    assert answer.status == 200, answer.body
    assert answer.json()["result"] == "success"
    return str(answer.json()["data"])


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_a_code_signs_in_to_the_console(browser: Browser) -> None:
    token = await ask(browser, "/email-code-login", ALICE, language="en-US")
    (letter,) = await LETTERS(ALICE)
    assert letter.subject == "Your code to sign in"
    code = await CODE(ALICE)
    html = str(letter.alternatives[0][0])
    assert code in html and "<script" not in html
    answer = await browser.post("/email-code-login/validity", {"email": "ALICE@acme.example", "code": code, "token": token})
    assert answer.json()["data"]["access_token"] == browser.cookies["access_token"]
    assert (await browser.get("/features")).status == 200
    assert (await Session.objects.aget()).method == "email_code"
    again = await browser.post("/email-code-login/validity", {"email": ALICE, "code": code, "token": token})
    assert (again.status, again.json()["code"]) == (400, "invalid_or_expired_token")


async def test_a_code_signs_in_to_published_pages(page: Browser) -> None:
    token = await ask(page, "/email-code-login", ALICE)
    code = base64.b64encode((await CODE(ALICE)).encode()).decode()
    answer = await page.post("/email-code-login/validity", {"email": ALICE, "code": code, "token": token})
    assert answer.json()["data"] == {"access_token": page.cookies["webapp_access_token"]}
    assert (await Session.objects.aget()).scope == "web-app"
    assert (await page.get("/login/status")).json()["logged_in"] is True


@pytest.mark.parametrize("path", ["/email-code-login", "/forgot-password", "/reset-password"])
async def test_an_unknown_address_gets_the_same_answer_and_no_letter(browser: Browser, path: str) -> None:
    known, unknown = [await browser.post(path, {"email": email}) for email in (ALICE, NOBODY)]
    assert known.status == unknown.status == 200
    assert set(known.json()) == set(unknown.json())
    assert len(known.json()["data"]) == len(unknown.json()["data"])
    assert len(await LETTERS(ALICE)) == 1 and not await LETTERS(NOBODY)
    check = "/email-code-login/validity" if path == "/email-code-login" else "/forgot-password/validity"
    refusals = [
        await browser.post(check, {"email": email, "code": "nope", "token": answer.json()["data"]})
        for email, answer in ((ALICE, known), (NOBODY, unknown))
    ]
    assert {(answer.status, answer.body) for answer in refusals} == {(400, refusals[0].body)}
    assert refusals[0].json()["code"] == "email_code_error"


@pytest.mark.parametrize("send", [sign_in.send_code, password_resets.send_code])
def test_an_unknown_address_costs_the_same_queries(alice: Person, send: Callable[..., str]) -> None:
    costs = []
    for email in (ALICE, NOBODY):
        with counted() as statements:
            send(email=email, language="en-US", ip=None)
        costs.append([" ".join(statement.split()[:3]) for statement in statements])
    assert costs[0] == costs[1]
    assert letters_to(ALICE) and not letters_to(NOBODY)
    assert not OutgoingMail.objects.exists()


async def test_a_code_is_written_in_the_language_that_was_asked_for(browser: Browser, cast: Cast) -> None:
    await ask(browser, "/email-code-login", ALICE, language="zh-Hans")
    await Account.objects.filter(pk=cast.bob.account.pk).aupdate(interface_language="zh-Hans")
    await ask(browser, "/forgot-password", cast.bob.account.email)
    assert (await LETTERS(ALICE))[0].subject == "您的登录验证码"
    assert (await LETTERS(cast.bob.account.email))[0].subject == "您的密码重置验证码"


async def test_no_code_token_or_password_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        token = await ask(browser, "/email-code-login", ALICE)
        code = await CODE(ALICE)
        await browser.post("/email-code-login/validity", {"email": ALICE, "code": code, "token": token})
        await browser.sign_in(ALICE, PASSWORD)
    told = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(("django.db", "aiosqlite")))
    for secret in (token, code, PASSWORD, browser.cookies["refresh_token"], browser.cookies["access_token"]):
        assert secret not in told


def test_only_hashes_of_codes_and_tokens_are_kept(alice: Person) -> None:
    token = sign_in.send_code(email=ALICE, language="", ip=None)
    row = Challenge.objects.get()
    kept = str({name: value for name, value in vars(row).items() if name != "_state"})
    assert token not in kept and code_for(ALICE) not in kept
    assert len(row.code_hash) == 64


@pytest.mark.parametrize("token", [None, "", [], {}, "x", "a\0b", "x" * 300])
@pytest.mark.parametrize("path", ["/email-code-login/validity", "/forgot-password/validity"])
async def test_what_is_no_token_is_refused(browser: Browser, page: Browser, path: str, token: Any) -> None:
    for caller in (browser, page):
        answer = await caller.post(path, {"email": ALICE, "code": "123456", "token": token})
        assert answer.status == 400
        assert answer.json()["code"] in ("invalid_param", "invalid_or_expired_token")
        assert not set_cookies(answer)


@pytest.mark.parametrize("code", [None, "", [], {}, "000000 ", "a\0b", "\uff10\uff10\uff10\uff10\uff10\uff10"])
async def test_what_is_no_code_is_refused(browser: Browser, code: Any) -> None:
    token = await ask(browser, "/email-code-login", ALICE)
    answer = await browser.post("/email-code-login/validity", {"email": ALICE, "code": code, "token": token})
    assert (answer.status, answer.json()["code"]) in ((400, "invalid_param"), (400, "email_code_error"))
    assert not await Session.objects.aexists()


async def test_a_code_is_good_for_its_own_address_token_and_purpose(browser: Browser, cast: Cast) -> None:
    bob = cast.bob.account.email
    mine, his = [await ask(browser, "/email-code-login", email) for email in (ALICE, bob)]
    reset = await ask(browser, "/forgot-password", NOBODY)
    code = await CODE(ALICE)
    path = "/email-code-login/validity"
    assert (await browser.post(path, {"email": bob, "code": code, "token": mine})).json()["code"] == "invalid_email"
    crossed = await browser.post(path, {"email": bob, "code": code, "token": his})
    assert crossed.json()["code"] == "email_code_error"
    crossed = await browser.post(path, {"email": ALICE, "code": code, "token": reset})
    assert crossed.json()["code"] == "invalid_or_expired_token"
    assert not await Session.objects.aexists()


def test_a_code_expires(alice: Person) -> None:
    token = sign_in.send_code(email=ALICE, language="", ip=None)
    Challenge.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    with pytest.raises(InvalidToken):
        challenges.redeem(token, Purpose.LOGIN, code=code_for(ALICE))
    assert challenges.forget_expired() == 1


def test_five_wrong_guesses_end_a_code(alice: Person) -> None:
    token = sign_in.send_code(email=ALICE, language="", ip=None)
    code = code_for(ALICE)
    for _ in range(5):
        with pytest.raises(WrongCode):
            challenges.redeem(token, Purpose.LOGIN, code=other_than(code))
    with pytest.raises(LoginLimit) as refused:
        challenges.redeem(token, Purpose.LOGIN, code=code)
    assert 0 < (refused.value.retry_after or 0) <= 300


def test_guesses_at_the_same_time_are_all_counted(alice: Person) -> None:
    token = sign_in.send_code(email=ALICE, language="", ip=None)
    wrong, told = other_than(code_for(ALICE)), []

    def guess() -> None:
        try:
            challenges.redeem(token, Purpose.LOGIN, code=wrong)
        except DomainError as error:
            told.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["email_code_error"] * 5 + ["email_code_login_limit"] * 7


def test_ten_thousand_guesses_over_many_codes_are_few(alice: Person, settings: Any) -> None:
    settings.EMAIL_CODE_GUESS_RATE = "10/h"
    email = f"{uuid4()}@acme.example"
    account = accounts.create(email=email, name="Victim", password=PASSWORD)
    looked_at = refused = 0
    for _ in range(2_000):
        token = password_resets.send_code(email=email, language="", ip=None)
        for _ in range(5):
            try:
                password_resets.verify(token=token, code="nope", email=email)
            except WrongCode:
                looked_at += 1
            except ResetLimit as error:
                refused += 1
                assert error.retry_after
        if refused > 50:
            break
    assert looked_at == 10
    token = password_resets.send_code(email=email, language="", ip=None)
    with pytest.raises(ResetLimit):
        password_resets.verify(token=token, code=code_for(email), email=email)
    account.refresh_from_db()
    assert account.check_password(PASSWORD)


def test_codes_tried_elsewhere_lock_nobody_out_below_a_ceiling(alice: Person, settings: Any) -> None:
    settings.EMAIL_CODE_GUESS_RATE, settings.EMAIL_CODE_ADDRESS_RATE = "3/h", "7/h"
    email = f"{uuid4()}@acme.example"
    accounts.create(email=email, name="Victim", password=PASSWORD)

    def guess(ip: str, right: bool = False) -> bool:
        token = password_resets.send_code(email=email, language="", ip=None)
        code = code_for(email) if right else other_than(code_for(email))
        return bool(password_resets.verify(token=token, code=code, email=email, ip=ip).token)

    for _ in range(3):
        with pytest.raises(WrongCode):
            guess("198.51.100.1")
    with pytest.raises(ResetLimit):
        guess("198.51.100.1", right=True)
    assert guess("192.0.2.1", right=True)
    for number in range(3):
        with pytest.raises(WrongCode):
            guess(f"198.51.100.{number + 2}")
    with pytest.raises(ResetLimit):
        guess("192.0.2.1", right=True)


def test_letters_are_limited_by_address_and_by_ip(alice: Person, settings: Any) -> None:
    settings.EMAIL_SEND_RATE, settings.EMAIL_SEND_IP_RATE = "3/5m", "6/m"
    ip, unknown = f"2001:db8::{uuid4().hex[:4]}", f"{uuid4()}@nowhere.example"
    with pytest.raises(DomainError) as refused:
        for _ in range(4):
            sign_in.send_code(email=unknown, language="", ip=None)
            sign_in.send_code(email=unknown.upper(), language="", ip=None)
    assert (refused.value.status, refused.value.code) == (429, "email_code_login_rate_limit_exceeded")
    with pytest.raises(DomainError) as refused:
        for _ in range(8):
            password_resets.send_code(email=unknown, language="", ip=None)
    assert refused.value.code == "password_reset_rate_limit_exceeded"
    with pytest.raises(SendIpLimit) as by_ip:
        for _ in range(14):
            sign_in.send_code(email=f"{uuid4()}@nowhere.example", language="", ip=ip)
    assert by_ip.value.retry_after


async def test_a_new_address_opens_an_account_where_registration_is_open(browser: Browser, settings: Any) -> None:
    settings.ALLOW_REGISTER = settings.ALLOW_CREATE_WORKSPACE = True
    token = await ask(browser, "/email-code-login", NOBODY, language="zh-Hans")
    answer = await browser.post("/email-code-login/validity", {"email": NOBODY, "code": await CODE(NOBODY), "token": token})
    assert answer.status == 200
    row = await Membership.objects.select_related("account", "tenant").aget(account__email=NOBODY)
    assert (row.role, row.account.name, row.account.interface_language) == ("owner", "nobody", "zh-Hans")
    assert not row.account.has_usable_password()


async def test_a_banned_account_learns_it_from_the_right_code_only(browser: Browser, cast: Cast) -> None:
    bob = cast.bob.account
    await sync_to_async(accounts.set_status)(account=bob, status=AccountStatus.BANNED)
    token = await ask(browser, "/email-code-login", bob.email)
    code = await CODE(bob.email)
    sent = {"email": bob.email, "token": token}
    wrong = await browser.post("/email-code-login/validity", {**sent, "code": other_than(code)})
    assert wrong.json()["code"] == "email_code_error"
    assert (await browser.post("/email-code-login/validity", {**sent, "code": code})).json()["code"] == "account_banned"


async def reset_token(browser: Browser, email: str = ALICE) -> str:
    token = await ask(browser, "/forgot-password", email)
    answer = await browser.post("/forgot-password/validity", {"email": email, "code": await CODE(email), "token": token})
    assert answer.json() == {"is_valid": True, "email": email, "token": answer.json()["token"]}
    assert answer.json()["token"] != token
    return str(answer.json()["token"])


@pytest.mark.parametrize("tier", ["browser", "page"])
async def test_a_forgotten_password_is_set_anew_and_every_session_ends(
    tier: str, browser: Browser, page: Browser, alice: Person
) -> None:
    caller = {"browser": browser, "page": page}[tier]
    old = await sync_to_async(sessions.open)(alice.account, method="test")
    new = {"new_password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD}
    token = await reset_token(caller)
    answer = await caller.post("/forgot-password/resets", {"token": token, **new})
    assert (answer.status, answer.json()) == (200, {"result": "success"})
    assert not await Session.objects.aexists()
    assert (await browser.get("/features", headers="")).status == 401
    bearer = {"Authorization": f"Bearer {old.access}"}
    assert (await browser.house.call("GET", "/console/api/features", headers=bearer)).status == 401
    assert (await browser.sign_in(ALICE, PASSWORD)).status == 401
    assert (await browser.sign_in(ALICE, NEW_PASSWORD)).status == 200
    again = await caller.post("/forgot-password/resets", {"token": token, **new})
    assert (again.status, again.json()["code"]) == (400, "invalid_or_expired_token")


async def test_a_password_is_not_reset_without_its_code(browser: Browser, alice: Person) -> None:
    new = {"new_password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD}
    unproven = await ask(browser, "/forgot-password", ALICE)
    sign_in_token = await ask(browser, "/email-code-login", ALICE)
    for token in (unproven, sign_in_token, "", None, [], [unproven], {"$ne": ""}, True, 0, "x", "a\0b"):
        answer = await browser.post("/forgot-password/resets", {"token": token, **new})
        assert answer.status == 400, token
        assert answer.json()["code"] in ("invalid_param", "invalid_or_expired_token")
    answer = await browser.post("/forgot-password/resets", new)
    assert answer.status == 400
    await alice.account.arefresh_from_db()
    assert await sync_to_async(alice.account.check_password)(PASSWORD)


async def test_a_password_that_is_refused_does_not_spend_the_token(browser: Browser) -> None:
    token = await reset_token(browser)
    path = "/forgot-password/resets"
    differ = await browser.post(path, {"token": token, "new_password": NEW_PASSWORD, "password_confirm": "else"})
    assert (differ.status, differ.json()["code"]) == (400, "password_mismatch")
    for weak in ("12345678", "short", "alice@acme.example", "x" * 2000):
        refused = await browser.post(path, {"token": token, "new_password": weak, "password_confirm": weak})
        assert (refused.status, refused.json()["code"]) == (400, "invalid_param")
    good = {"new_password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD}
    assert (await browser.post(path, {"token": token, **good})).status == 200


def test_a_reset_ends_other_resets_under_way_and_wakes_an_invited_account(alice: Person) -> None:
    email = "waiting@acme.example"
    accounts.create(email=email, name="Waiting", status=AccountStatus.PENDING)
    proven = []
    for _ in range(2):
        token = password_resets.send_code(email=email, language="", ip=None)
        proven.append(password_resets.verify(token=token, code=code_for(email), email=email).token)
    account = password_resets.reset(token=proven[0], password=NEW_PASSWORD, repeated=NEW_PASSWORD)
    assert account.status == AccountStatus.ACTIVE
    with pytest.raises(InvalidToken):
        password_resets.reset(token=proven[1], password=PASSWORD, repeated=PASSWORD)


def test_of_two_resets_at_once_with_one_token_one_works(alice: Person) -> None:
    token = password_resets.send_code(email=ALICE, language="", ip=None)
    proven = password_resets.verify(token=token, code=code_for(ALICE), email=ALICE).token
    told: list[str] = []

    def reset() -> None:
        try:
            password_resets.reset(token=proven, password=NEW_PASSWORD, repeated=NEW_PASSWORD)
            told.append("done")
        except DomainError as error:
            told.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=reset) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["done"] + ["invalid_or_expired_token"] * 3


@pytest.mark.parametrize("step", ["/send-email", "/validity", ""])
async def test_registration_that_is_closed_refuses_everybody_alike(browser: Browser, step: str) -> None:
    answers = []
    for email in (ALICE, NOBODY):
        body = {"email": email, "code": "123456", "token": "x", "new_password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD}
        answers.append(await browser.post(f"/email-register{step}", body))
    assert {(answer.status, answer.json()["code"], answer.body) for answer in answers} == {(403, "forbidden", answers[0].body)}
    assert not await Account.objects.filter(email=NOBODY).aexists()
    assert not await LETTERS(NOBODY) and not await LETTERS(ALICE)


async def test_a_stranger_registers_in_three_steps(browser: Browser, settings: Any) -> None:
    settings.ALLOW_REGISTER = settings.ALLOW_CREATE_WORKSPACE = True
    token = await ask(browser, "/email-register/send-email", NOBODY, language="en-US")
    verified = await browser.post("/email-register/validity", {"email": NOBODY, "code": await CODE(NOBODY), "token": token})
    assert verified.json()["is_valid"] is True
    new = {"new_password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD, "timezone": "Asia/Shanghai", "language": "zh-Hans"}
    early = await browser.post("/email-register", {"token": token, **new})
    assert early.json()["code"] == "invalid_or_expired_token"
    answer = await browser.post("/email-register", {"token": verified.json()["token"], **new})
    assert answer.json()["data"]["access_token"] == browser.cookies["access_token"]
    assert (await browser.get("/features")).status == 200
    account = await Account.objects.aget(email=NOBODY)
    assert (account.timezone, account.interface_language, account.is_staff) == ("Asia/Shanghai", "zh-Hans", False)
    again = await browser.post("/email-register", {"token": verified.json()["token"], **new})
    assert (again.status, again.json()["code"]) == (400, "invalid_or_expired_token")


async def test_who_has_an_account_is_told_so_only_by_letter(browser: Browser, settings: Any) -> None:
    settings.ALLOW_REGISTER = True
    known, unknown = [await browser.post("/email-register/send-email", {"email": email}) for email in (ALICE, NOBODY)]
    assert known.status == unknown.status == 200
    assert len(known.json()["data"]) == len(unknown.json()["data"])
    (letter,) = await LETTERS(ALICE)
    assert letter.subject == "You have an account already"
    assert await sync_to_async(link_for)(ALICE) == "http://127.0.0.1:8000/signin"
    refused = await browser.post("/email-register/validity", {"email": ALICE, "code": "000000", "token": known.json()["data"]})
    assert refused.json()["code"] == "email_code_error"


def test_what_has_expired_is_forgotten_by_a_job_and_the_rest_is_kept(alice: Person) -> None:
    for age in (timedelta(seconds=-1), timedelta(hours=1)):
        sessions.open(alice.account, method="test")
        sign_in.send_code(email=ALICE, language="", ip=None)
        for model in (Session, Challenge):
            newest = model.objects.order_by("created_at").last()
            assert newest
            newest.expires_at = clock.now() + age
            newest.save()
    letters_to(ALICE)
    job = jobs.enqueue("accounts.retention", "hourly")
    jobs.run_waiting()
    job.refresh_from_db()
    assert (job.state, job.result) == ("succeeded", {"sessions": 1, "challenges": 1})
    assert (Session.objects.count(), Challenge.objects.count()) == (1, 1)
