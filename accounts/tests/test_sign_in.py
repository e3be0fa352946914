"""Sign-in by password: cookies or tokens, the same no for everybody, limits that hold, a second factor, and the way out."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.hashers import MD5PasswordHasher

from accounts.models import AccountStatus, Membership, Purpose, Session
from accounts.services import accounts, challenges, second_factor, sessions, sign_in
from accounts.services.refusals import AuthenticationFailed, LoginLimit
from accounts.services.sign_in import Visitor
from difyproj.infra import limits
from difyproj.kernel import clock
from difyproj.kernel.errors import InvalidParam, ServiceUnavailable, TooManyRequests
from difyproj.testing.browser import Browser, set_cookies
from difyproj.testing.cast import PASSWORD, Cast, Person
from difyproj.testing.served import Answer, Served

ALICE = "alice@acme.example"
# Tries are remembered beyond a run where Redis counts them.
NOBODY = f"{uuid4()}@nowhere.example"


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each password that is hashed."""
    done: list[str] = []
    encode = MD5PasswordHasher.encode

    def counting(self: Any, password: str, salt: str) -> str:
        done.append(password)
        return str(encode(self, password, salt))

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    return done


def try_password(password: str, email: str = ALICE, ip: str = "192.0.2.1") -> sessions.Tokens:
    return sign_in.with_password(email=email, password=password, visitor=Visitor(ip))


async def test_a_password_gives_three_cookies_and_the_tokens(browser: Browser) -> None:
    answer = await browser.sign_in(" Alice@ACME.example ", PASSWORD)
    assert answer.status == 200
    body = answer.json()
    assert body["result"] == "success"
    assert body["data"] == {name: browser.cookies[name] for name in ("access_token", "refresh_token")}
    kept = {line.partition("=")[0]: line for line in set_cookies(answer)}
    assert set(kept) == {"access_token", "refresh_token", "csrf_token"}
    assert all("SameSite=Lax" in line and "Path=/" in line for line in kept.values())
    assert ["HttpOnly" in kept[name] for name in ("access_token", "refresh_token", "csrf_token")] == [True, True, False]
    row = await Session.objects.select_related("account").aget()
    assert (row.account.email, row.method, row.scope, row.ip) == (ALICE, "password", "console", "127.0.0.1")
    assert body["data"]["refresh_token"] not in str(row.__dict__)
    assert row.account.last_login and row.account.last_login_ip == "127.0.0.1"


async def test_the_cookies_alone_and_the_bearer_alone_open_the_console(browser: Browser, house: Served) -> None:
    tokens = (await browser.sign_in(ALICE, PASSWORD)).json()["data"]
    assert (await browser.get("/features")).status == 200
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await house.call("GET", "/console/api/features", headers=bearer)).status == 200
    assert (await Browser(house).get("/features")).status == 401


async def test_a_password_may_come_in_base64(browser: Browser) -> None:
    assert (await browser.sign_in(ALICE, base64.b64encode(PASSWORD.encode()).decode())).status == 200


async def test_a_wrong_password_and_an_unknown_address_look_the_same(browser: Browser, hashes: list[str]) -> None:
    answers, costs = [], []
    for email in (ALICE, NOBODY):
        for password in ("wrong", base64.b64encode(b"wrong, in base64").decode()):
            hashes.clear()
            answers.append(await browser.sign_in(email, password))
            costs.append(len(hashes))
    assert {(answer.status, answer.body) for answer in answers} == {(401, answers[0].body)}
    assert answers[0].json()["code"] == "authentication_failed"
    assert costs == [1, 2, 1, 2]
    assert not await Session.objects.aexists()


def test_an_account_without_a_password_costs_a_hash_too(alice: Person, hashes: list[str]) -> None:
    alice.account.set_unusable_password()
    alice.account.save()
    with pytest.raises(AuthenticationFailed):
        try_password("wrong")
    assert len(hashes) == 1


def test_five_wrong_passwords_lock_the_account_for_the_right_one_too(alice: Person) -> None:
    for _ in range(5):
        with pytest.raises(AuthenticationFailed):
            try_password("wrong")
    with pytest.raises(LoginLimit) as refused:
        try_password(PASSWORD)
    assert (refused.value.status, refused.value.code) == (429, "email_code_login_limit")
    assert 0 < (refused.value.retry_after or 0) <= 24 * 3600
    assert not Session.objects.exists()


def test_nobody_is_locked_out_by_what_others_do_elsewhere(alice: Person) -> None:
    for _ in range(6):
        with pytest.raises((AuthenticationFailed, LoginLimit)):
            try_password("wrong", ip="198.51.100.1")
    assert try_password(PASSWORD)


def test_all_places_together_meet_a_ceiling(alice: Person, settings: Any) -> None:
    settings.SIGN_IN_ADDRESS_RATE = "8/d"
    for number in range(8):
        with pytest.raises(AuthenticationFailed):
            try_password("wrong", ip=f"198.51.100.{number}")
    with pytest.raises(LoginLimit):
        try_password(PASSWORD)


async def test_no_guess_passes_uncounted_while_the_cache_is_away(
    browser: Browser, alice: Person, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.EMAIL_CODE_GUESS_RATE = "10/h"
    login = await sync_to_async(challenges.create)(Purpose.LOGIN, email=ALICE, account=alice.account, data={"language": ""})
    monkeypatch.setattr(limits, "_usage", lambda *_, **__: None)
    by_code = {"email": ALICE, "code": login.code, "token": login.token}
    for path, body in (("/login", {"email": ALICE, "password": PASSWORD}), ("/email-code-login/validity", by_code)):
        answer = await browser.post(path, body)
        assert (answer.status, answer.json()["code"], "Retry-After" in answer.headers) == (503, "service_unavailable", True)
    with pytest.raises(ServiceUnavailable):
        await sync_to_async(second_factor.check)(alice.account, "000000")
    assert not await Session.objects.aexists()


def test_a_sign_in_and_a_new_password_begin_a_new_count(alice: Person) -> None:
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(AuthenticationFailed):
                try_password("wrong")
        assert try_password(PASSWORD)
    for _ in range(6):
        with pytest.raises((AuthenticationFailed, LoginLimit)):
            try_password("wrong")
    alice.account.refresh_from_db()
    accounts.set_password(account=alice.account, password="a new one, quite long")
    assert try_password("a new one, quite long")


def test_an_unknown_address_is_locked_like_a_known_one(alice: Person) -> None:
    unknown = f"{uuid4()}@nowhere.example"
    for _ in range(5):
        with pytest.raises(AuthenticationFailed):
            try_password("wrong", unknown)
    with pytest.raises(LoginLimit):
        try_password("wrong", unknown)


def test_ten_thousand_guesses_hash_five_passwords(alice: Person, hashes: list[str]) -> None:
    refused = 0
    for number in range(10_000):
        try:
            try_password(f"guess {number}")
        except LoginLimit:
            refused += 1
        except AuthenticationFailed:
            continue
        if refused == 200:
            break
    assert len(hashes) == 5
    assert refused == 200


def test_one_ip_address_may_not_try_account_after_account(alice: Person, settings: Any) -> None:
    settings.SIGN_IN_IP_RATE = "10/h"
    network = f"2001:db8:0:{uuid4().hex[:4]}"
    for number in range(10):
        with pytest.raises(AuthenticationFailed):
            try_password("wrong", f"{number}-{uuid4()}@nowhere.example", f"{network}::{number}")
    with pytest.raises(TooManyRequests):
        try_password(PASSWORD, ALICE, f"{network}:1:2:3:4")
    assert try_password(PASSWORD, ALICE, "2001:db8:1::1")


async def test_a_password_of_a_megabyte_is_refused_before_it_is_hashed(browser: Browser, hashes: list[str]) -> None:
    answer = await browser.sign_in(ALICE, "x" * 1024 * 1024)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")
    assert not hashes


def test_a_password_of_two_thousand_characters_is_refused_before_it_is_hashed(alice: Person, hashes: list[str]) -> None:
    for password in ("-" * 2000, base64.b64encode(b"-" * 2000).decode()):
        with pytest.raises(InvalidParam):
            try_password(password)
    assert not hashes


@pytest.mark.parametrize("email", [None, "", [], {}, 7, "nobody", "a\0b@acme.example", "x" * 300 + "@acme.example"])
async def test_what_is_no_address_is_refused(browser: Browser, email: Any) -> None:
    answer = await browser.post("/login", {"email": email, "password": PASSWORD})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")


@pytest.mark.parametrize(
    "path",
    ["/login", "/email-code-login", "/forgot-password", "/email-register/send-email", "/account/delete/feedback", "/setup"],
)
async def test_an_address_that_is_too_long_only_in_lower_case_is_refused(browser: Browser, path: str, settings: Any) -> None:
    settings.ALLOW_REGISTER = True
    beginning = f"{'a' * 60}@{('b' * 57 + '.') * 3}"
    email = f"{beginning}{'İ' * 2}{'c' * (249 - len(beginning))}.com"
    assert (len(email), len(email.lower())) == (255, 257)
    details = {"password": PASSWORD, "feedback": "x", "name": "Long", "language": "en-US"}
    answer = await browser.post(path, {"email": email, **details})
    assert (answer.status, answer.json()["code"], "email" in answer.json()["message"]) == (400, "invalid_param", True)


@pytest.mark.parametrize("password", [None, "", [], ["x"], {"$ne": ""}, True, "a\0b"])
async def test_what_is_no_password_is_refused(browser: Browser, password: Any) -> None:
    answer = await browser.post("/login", {"email": ALICE, "password": password})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")


async def test_a_form_of_another_page_signs_nobody_in(browser: Browser, page: Browser) -> None:
    for caller in (browser, page):
        form = {"email": ALICE, "password": PASSWORD}
        answer = await caller.call("POST", "/login", data=form)
        assert answer.status == 415
        assert not set_cookies(answer)


async def test_only_the_right_password_is_told_that_the_account_is_banned(browser: Browser, page: Browser, cast: Cast) -> None:
    await sync_to_async(accounts.set_status)(account=cast.bob.account, status=AccountStatus.BANNED)
    email = cast.bob.account.email
    assert (await browser.sign_in(email, "wrong")).json()["code"] == "authentication_failed"
    answer = await browser.sign_in(email, PASSWORD)
    assert (answer.status, answer.json()["code"]) == (400, "account_banned")
    answer = await page.sign_in(email, PASSWORD)
    assert (answer.status, answer.json()["code"]) == (403, "account_banned")
    await sync_to_async(accounts.set_status)(account=cast.bob.account, status=AccountStatus.CLOSED)
    assert (await browser.sign_in(email, PASSWORD)).json()["code"] == "authentication_failed"
    assert not await Session.objects.aexists()


async def test_an_account_without_a_workspace_is_told_so(browser: Browser, cast: Cast) -> None:
    await (await Membership.objects.aget(pk=cast.norma.membership.pk)).adelete()
    answer = await browser.sign_in(cast.norma.account.email, PASSWORD)
    assert (answer.status, answer.json()["code"]) == (403, "account_not_link_tenant")


def turn_on_second_factor(person: Person) -> list[str]:
    """Paper codes, each good once."""
    setup = second_factor.begin(person.account)
    code = second_factor.code_at(setup.secret, clock.epoch(clock.now()) // second_factor.STEP)
    return second_factor.confirm(person.account, token=setup.token, code=code, password=PASSWORD)


async def test_a_second_factor_is_a_second_step(browser: Browser, alice: Person) -> None:
    codes = await sync_to_async(turn_on_second_factor)(alice)
    answer = await browser.sign_in(ALICE, PASSWORD)
    assert (answer.status, answer.json()["code"]) == (401, "second_factor_required")
    assert not set_cookies(answer)
    step = {"token": answer.json()["data"]["token"]}
    wrong = await browser.post("/login/second-factor", {**step, "code": "000000"})
    assert wrong.json()["code"] == "second_factor_code_error"
    assert not await Session.objects.aexists()
    assert (await browser.post("/login/second-factor", {**step, "code": codes[0]})).status == 200
    assert (await browser.get("/features")).status == 200
    again = await browser.post("/login/second-factor", {**step, "code": codes[1]})
    assert (again.status, again.json()["code"]) == (400, "invalid_or_expired_token")
    assert (await Session.objects.aget()).method == "password"


async def test_the_second_factor_may_come_with_the_password(browser: Browser, alice: Person) -> None:
    codes = await sync_to_async(turn_on_second_factor)(alice)
    both = {"email": ALICE, "password": PASSWORD, "second_factor_code": codes[0]}
    assert (await browser.post("/login", {**both, "password": "wrong"})).json()["code"] == "authentication_failed"
    assert (await browser.post("/login", both)).status == 200
    assert (await browser.post("/login", both)).json()["code"] == "second_factor_code_error"


async def test_the_second_step_belongs_to_its_tier_and_to_the_password_of_the_first(
    browser: Browser, page: Browser, alice: Person
) -> None:
    codes = await sync_to_async(turn_on_second_factor)(alice)
    steps = [{"token": (await caller.sign_in(ALICE, PASSWORD)).json()["data"]["token"]} for caller in (browser, page)]
    crossed = await browser.post("/login/second-factor", {**steps[1], "code": codes[0]})
    assert crossed.json()["code"] == "invalid_or_expired_token"
    await sync_to_async(accounts.set_password)(account=alice.account, password="a new one, quite long")
    late = await browser.post("/login/second-factor", {**steps[0], "code": codes[0]})
    assert late.json()["code"] == "invalid_or_expired_token"


async def test_five_codes_end_the_second_step(browser: Browser, alice: Person) -> None:
    codes = await sync_to_async(turn_on_second_factor)(alice)
    token = (await browser.sign_in(ALICE, PASSWORD)).json()["data"]["token"]
    for _ in range(5):
        await browser.post("/login/second-factor", {"token": token, "code": "AAAAA-AAAAA"})
    answer = await browser.post("/login/second-factor", {"token": token, "code": codes[0]})
    assert (answer.status, answer.json()["code"]) == (429, "email_code_login_limit")
    assert not await Session.objects.aexists()


def is_cleared(answer: Answer) -> bool:
    lines = set_cookies(answer)
    return len(lines) == 3 and all("Max-Age=0" in line for line in lines)


async def test_signing_out_ends_the_session_and_clears_the_cookies(browser: Browser, house: Served) -> None:
    tokens = (await browser.sign_in(ALICE, PASSWORD)).json()["data"]
    answer = await browser.post("/logout")
    assert (answer.status, answer.json()) == (200, {"result": "success"})
    assert is_cleared(answer) and not browser.cookies
    assert not await Session.objects.aexists()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await house.call("GET", "/console/api/features", headers=bearer)).status == 401
    refresh = await browser.post("/refresh-token", {"refresh_token": tokens["refresh_token"]})
    assert refresh.status == 401


async def test_signing_out_works_with_bearer_and_after_the_access_token_expired(browser: Browser, house: Served) -> None:
    access = (await browser.sign_in(ALICE, PASSWORD)).json()["data"]["access_token"]
    bearer = {"Authorization": f"Bearer {access}"}
    assert (await house.call("POST", "/console/api/logout", headers=bearer)).status == 200
    assert not await Session.objects.aexists()
    await browser.sign_in(ALICE, PASSWORD)
    browser.cookies = {"refresh_token": browser.cookies["refresh_token"]}
    assert (await browser.post("/logout")).status == 200
    assert not await Session.objects.aexists()
    assert (await browser.post("/logout")).status == 200


async def test_another_page_cannot_sign_somebody_out(browser: Browser) -> None:
    await browser.sign_in(ALICE, PASSWORD)
    answer = await browser.post("/logout", csrf=False)
    assert (answer.status, answer.json()["code"]) == (401, "unauthorized")
    assert await Session.objects.acount() == 1


async def test_a_refresh_token_is_good_once(browser: Browser) -> None:
    first = (await browser.sign_in(ALICE, PASSWORD)).json()["data"]
    second = (await browser.post("/refresh-token", csrf=False)).json()["data"]
    assert browser.cookies["refresh_token"] == second["refresh_token"] != first["refresh_token"]
    assert (await browser.get("/features")).status == 200
    browser.cookies.clear()
    used = await browser.post("/refresh-token", {"refresh_token": first["refresh_token"]})
    assert (used.status, used.json()["result"]) == (401, "fail")
    assert used.json()["message"]
    assert (await browser.post("/refresh-token", {"refresh_token": second["refresh_token"]})).status == 200
    assert await Session.objects.acount() == 1


@pytest.mark.parametrize("refresh", [None, "", "x", "a\0b", [], {}])
async def test_what_is_no_refresh_token_is_refused_in_the_routes_own_shape(browser: Browser, refresh: Any) -> None:
    answer = await browser.post("/refresh-token", {"refresh_token": refresh})
    assert answer.status in (400, 401)
    assert answer.json()["result"] == "fail"


@pytest.mark.parametrize("refresh", ["x" * 300, "x" * 100_000])
async def test_a_refresh_token_of_any_length_is_refused_like_another(browser: Browser, refresh: str) -> None:
    answer = await browser.post("/refresh-token", {"refresh_token": refresh})
    assert (answer.status, answer.json()["result"]) == (401, "fail")


async def test_a_banned_account_is_out_everywhere_within_a_moment(browser: Browser, alice: Person) -> None:
    tokens = (await browser.sign_in(ALICE, PASSWORD)).json()["data"]
    assert (await browser.get("/features")).status == 200
    await sync_to_async(accounts.set_status)(account=alice.account, status=AccountStatus.BANNED)
    assert (await browser.get("/features")).status == 401
    browser.cookies.clear()
    assert (await browser.post("/refresh-token", {"refresh_token": tokens["refresh_token"]})).status == 401
