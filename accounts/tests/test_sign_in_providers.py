"""Signing in at an OpenID Connect issuer and at GitHub: the whole way through the browser, and every way it must not go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
from allauth.socialaccount.models import SocialAccount
from asgiref.sync import sync_to_async
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_django import Settings

from accounts.api.signin import client
from accounts.models import Account, AccountStatus, Session
from accounts.services import accounts, identities, invitations, second_factor, tenants
from accounts.services.identities import Identity
from difyproj.kernel import clock
from difyproj.kernel.http import AddressPolicy, Egress
from difyproj.settings.env import Env, EnvError
from difyproj.settings.sign_in import GITHUB, OPENID_CONNECT, SignInProvider, sign_in_hosts, sign_in_providers
from difyproj.testing.cast import PASSWORD, Cast, Person
from difyproj.testing.identity_provider import CLIENT_ID, CLIENT_SECRET, FakeProvider, fake_provider
from difyproj.testing.served import Served

ALICE = {"sub": "alice-at-the-issuer", "email": "alice@acme.example", "email_verified": True, "name": "Alice"}


@dataclass(slots=True)
class Surfer:
    """A browser on the way between us and the provider; it follows nothing by itself."""

    house: Served
    provider: FakeProvider
    session: aiohttp.ClientSession

    async def get(self, address: str) -> tuple[int, str, str]:
        """Status, where it leads, and the page."""
        url = address if address.startswith("http") else self.house.url + address
        async with self.session.get(url, allow_redirects=False) as response:
            return response.status, response.headers.get("Location", ""), await response.text()

    async def depart(self, name: str = "oidc", **query: str) -> str:
        """The provider's address that a sign-in leads to."""
        status, onward, _ = await self.get(f"/console/api/oauth/login/{name}?{urlencode(query)}")
        assert status == 302 and onward.startswith(f"{self.house.url}/signin/with/{name}")
        status, address, page = await self.get(onward)
        assert status == 302, page
        return address

    async def arrive(self, address: str) -> tuple[int, str, str]:
        """Back from the provider, by the address that it knows."""
        status, onward, _ = await self.get(address)
        assert status == 302
        return await self.get(onward)

    async def sign_in(self, name: str = "oidc", **query: str) -> tuple[int, str, str]:
        return await self.arrive(self.provider.grant(await self.depart(name, **query)))

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.session.cookie_jar}

    async def whoami(self) -> Any:
        async with self.session.get(self.house.url + "/console/api/account/profile") as response:
            return await response.json() if response.status == 200 else None


@pytest.fixture
async def surfer(house: Served, settings: Settings) -> AsyncIterator[Surfer]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with fake_provider() as provider, aiohttp.ClientSession(cookie_jar=jar) as session:
        known = SignInProvider("oidc", OPENID_CONNECT, "The Issuer", provider.url, CLIENT_ID, CLIENT_SECRET)
        settings.SIGN_IN_PROVIDERS = {
            "oidc": known,
            "github": replace(known, name="github", kind=GITHUB, title="GitHub"),
        }
        settings.PUBLIC_URL = house.url
        provider.person = dict(ALICE)
        yield Surfer(house, provider, session)


def refused(answer: tuple[int, str, str], words: str) -> bool:
    status, _, page = answer
    return status == 403 and words in page


async def test_an_account_is_found_by_its_verified_address_and_bound(surfer: Surfer, alice: Person) -> None:
    status, onward, _ = await surfer.sign_in()
    assert (status, onward) == (302, "/signin/done")
    assert {"access_token", "refresh_token", "csrf_token"} <= set(surfer.cookies)
    assert (await surfer.whoami())["email"] == "alice@acme.example"
    bound = await SocialAccount.objects.aget()
    assert (bound.user_id, bound.provider, bound.uid, bound.extra_data) == (alice.account.pk, "oidc", ALICE["sub"], {})
    session = await Session.objects.aget(account=alice.account)
    assert (session.method, session.ip) == ("oidc", "127.0.0.1")
    status, _, page = await surfer.get("/signin/done")
    assert (status, "You are signed in" in page) == (200, True)


async def test_who_is_bound_comes_back_whatever_the_address_is_by_then(surfer: Surfer, alice: Person) -> None:
    await surfer.sign_in()
    surfer.provider.person = {"sub": ALICE["sub"], "email": "eve@evil.example", "email_verified": True}
    await surfer.sign_in()
    assert (await surfer.whoami())["email"] == "alice@acme.example"
    assert await SocialAccount.objects.acount() == 1


async def test_the_profile_lists_what_is_bound(surfer: Surfer) -> None:
    await surfer.sign_in()
    async with surfer.session.get(surfer.house.url + "/console/api/account/integrates") as response:
        listed = (await response.json())["data"]
    assert [(row["provider"], row["is_bound"]) for row in listed] == [("oidc", True), ("github", False)]
    assert (listed[0]["link"], listed[1]["link"]) == (None, f"{surfer.house.url}/console/api/oauth/login/github")


@pytest.mark.parametrize("verified", [False, None, "false", "no", 1])
async def test_an_address_that_is_not_verified_opens_nothing(surfer: Surfer, verified: Any) -> None:
    surfer.provider.person = {**ALICE, "email_verified": verified}
    if verified is None:
        del surfer.provider.person["email_verified"]
    assert refused(await surfer.sign_in(), "not verified your e-mail address")
    assert await SocialAccount.objects.acount() == 0


async def test_userinfo_is_asked_where_the_id_token_is_short_and_only_about_the_same_person(surfer: Surfer) -> None:
    surfer.provider.person = {"sub": ALICE["sub"], "email_verified": True}
    surfer.provider.userinfo = {**ALICE, "sub": "somebody-else"}
    assert refused(await surfer.sign_in(), "The sign-in failed")
    surfer.provider.userinfo = {"sub": ALICE["sub"], "email": "alice@acme.example"}
    assert refused(await surfer.sign_in(), "not verified your e-mail address")
    surfer.provider.userinfo = ALICE
    assert (await surfer.sign_in())[:2] == (302, "/signin/done")


async def test_a_stranger_is_refused_where_registration_is_closed_and_welcome_where_it_is_open(
    surfer: Surfer, settings: Settings
) -> None:
    surfer.provider.person = {"sub": "x", "email": "new@acme.example", "email_verified": True, "name": "Newcomer"}
    assert refused(await surfer.sign_in(), "by invitation only")
    assert not await Account.objects.filter(email="new@acme.example").aexists()
    settings.ALLOW_REGISTER = settings.ALLOW_CREATE_WORKSPACE = True
    assert (await surfer.sign_in(language="de-DE"))[0] == 302
    account = await Account.objects.aget(email="new@acme.example")
    assert (account.name, account.interface_language, account.has_usable_password()) == ("Newcomer", "de-DE", False)
    assert (await surfer.whoami())["is_password_set"] is False


async def test_who_was_invited_becomes_active(surfer: Surfer, cast: Cast) -> None:
    waiting = await sync_to_async(accounts.create)(email="new@acme.example", name="new", status=AccountStatus.PENDING)
    await sync_to_async(tenants.add_member)(tenant=cast.alice.tenant, account=waiting, role="normal")
    surfer.provider.person = {"sub": "x", "email": "New@acme.example", "email_verified": True}
    assert (await surfer.sign_in(invite_token="gone"))[0] == 302
    assert (await Account.objects.aget(pk=waiting.pk)).status == "active"


async def test_an_invitation_is_for_the_one_who_was_invited(surfer: Surfer, cast: Cast) -> None:
    link = await sync_to_async(invitations.invite)(
        tenant=cast.alice.tenant, email="new@acme.example", role="normal", invited_by=cast.alice.account
    )
    token = dict(parse_qsl(urlsplit(link).query))["token"]
    assert refused(await surfer.sign_in(invite_token=token), "another e-mail address")
    assert await surfer.whoami() is None


@pytest.mark.parametrize("status", ["banned", "closed"])
async def test_an_account_that_may_not_sign_in_may_not_do_so_here(surfer: Surfer, alice: Person, status: str) -> None:
    await surfer.sign_in()
    await sync_to_async(accounts.set_status)(account=alice.account, status=status)
    assert refused(await surfer.sign_in(), "banned")
    assert await surfer.whoami() is None


async def test_a_state_is_good_once_and_only_in_the_browser_that_began(surfer: Surfer) -> None:
    back = surfer.provider.grant(await surfer.depart())
    wrong = back.replace("state=", "state=x")
    assert refused(await surfer.arrive(wrong), "The sign-in failed")
    other_jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=other_jar) as elsewhere:
        victim = Surfer(surfer.house, surfer.provider, elsewhere)
        assert refused(await victim.arrive(back), "The sign-in failed")
        assert await victim.whoami() is None
    assert (await surfer.arrive(back))[0] == 302
    assert refused(await surfer.arrive(back), "The sign-in failed")


async def test_who_says_no_at_the_provider_is_told_so(surfer: Surfer) -> None:
    state = dict(parse_qsl(urlsplit(await surfer.depart()).query))["state"]
    denied = f"/console/api/oauth/authorize/oidc?error=access_denied&state={state}"
    assert refused(await surfer.arrive(denied), "cancelled")


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://evil.example"}, {"aud": "another-client"}, {"exp": 1}, {"sub": "x" * 300}, {"sub": ""}, {"sub": 5}],
)
async def test_an_id_token_for_somebody_else_is_refused(surfer: Surfer, claims: dict[str, Any]) -> None:
    surfer.provider.token = claims
    assert refused(await surfer.sign_in(), "The sign-in failed")
    assert await surfer.whoami() is None


async def test_an_id_token_that_the_issuer_did_not_sign_is_refused(surfer: Surfer) -> None:
    surfer.provider.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert refused(await surfer.sign_in(), "The sign-in failed")
    surfer.provider.key, surfer.provider.algorithm = "a shared secret of thirty-two bytes!", "HS256"  # type: ignore[assignment]
    assert refused(await surfer.sign_in(), "The sign-in failed")
    surfer.provider.key, surfer.provider.algorithm = None, "none"  # type: ignore[assignment]
    assert refused(await surfer.sign_in(), "The sign-in failed")
    assert await surfer.whoami() is None


@pytest.mark.parametrize(
    ("status", "config"),
    [(500, {}), (200, {"issuer": "https://evil.example"}), (200, {"token_endpoint": None}), (200, {"jwks_uri": 5})],
)
async def test_an_issuer_that_describes_itself_wrongly_leads_nowhere(
    surfer: Surfer, status: int, config: dict[str, Any]
) -> None:
    surfer.provider.status, surfer.provider.config = status, config
    _, onward, _ = await surfer.get("/console/api/oauth/login/oidc")
    assert refused(await surfer.get(onward), "The sign-in failed")


async def test_an_issuer_that_wants_the_secret_in_a_header_gets_it_there(surfer: Surfer) -> None:
    surfer.provider.config = {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    assert (await surfer.sign_in())[:2] == (302, "/signin/done")


async def test_what_a_provider_says_instead_of_a_token_is_told_to_nobody(
    surfer: Surfer, caplog: pytest.LogCaptureFixture
) -> None:
    back = surfer.provider.grant(await surfer.depart())
    surfer.provider.refusal = {"error": "invalid_grant", "echo": "a-secret-of-the-provider"}
    answer = await surfer.arrive(back)
    assert refused(answer, "The sign-in failed")
    assert "a-secret-of-the-provider" not in answer[2] + caplog.text
    assert "A sign-in provider failed: OAuth2Error" in caplog.text


async def test_github_tells_which_address_is_verified(surfer: Surfer, alice: Person) -> None:
    surfer.provider.person = {"id": 4711, "login": "alice", "name": "Alice", "email": "alice@acme.example"}
    surfer.provider.emails = [{"email": "alice@acme.example", "primary": True, "verified": False}]
    assert refused(await surfer.sign_in("github"), "not verified your e-mail address")
    surfer.provider.emails = [
        {"email": "eve@evil.example", "primary": True, "verified": False},
        {"email": "alice@acme.example", "primary": False, "verified": True},
    ]
    assert (await surfer.sign_in("github"))[:2] == (302, "/signin/done")
    assert (await surfer.whoami())["email"] == "alice@acme.example"
    bound = await SocialAccount.objects.aget()
    assert (bound.provider, bound.uid, bound.user_id) == ("github", "4711", alice.account.pk)


async def test_a_second_factor_is_asked_for_here_too(surfer: Surfer, alice: Person) -> None:
    setup = await sync_to_async(second_factor.begin)(alice.account)
    step = clock.epoch(clock.now()) // second_factor.STEP
    code = second_factor.code_at(setup.secret, step)
    papers = await sync_to_async(second_factor.confirm)(alice.account, token=setup.token, code=code, password=PASSWORD)
    assert (await surfer.sign_in())[:2] == (302, "/signin/code")
    assert await surfer.whoami() is None
    status, _, page = await surfer.get("/signin/code")
    assert status == 200 and "csrfmiddlewaretoken" in page
    form = {"csrfmiddlewaretoken": page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]}
    for given, status in ((papers[0][:-1] + "1", 400), (papers[0], 302)):
        address = surfer.house.url + "/signin/code"
        async with surfer.session.post(address, data={**form, "code": given}, allow_redirects=False) as response:
            assert response.status == status
    assert (await surfer.whoami())["email"] == "alice@acme.example"


async def test_nobody_passes_the_second_factor_without_having_begun(surfer: Surfer) -> None:
    _, _, page = await surfer.get("/signin/code")
    form = {"csrfmiddlewaretoken": page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0], "code": "123456"}
    async with surfer.session.post(surfer.house.url + "/signin/code", data=form, allow_redirects=False) as response:
        assert response.status == 400
    async with surfer.session.post(surfer.house.url + "/signin/code", data={"code": "1"}, allow_redirects=False) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/\\evil.example",
        "http:///evil.example",
    ],
)
async def test_no_sign_in_leads_to_a_foreign_place(surfer: Surfer, target: str) -> None:
    assert (await surfer.sign_in(redirect_url=target))[:2] == (302, "/signin/done")


async def test_a_sign_in_leads_home_or_to_the_operators_console(surfer: Surfer, settings: Settings) -> None:
    assert (await surfer.sign_in(redirect_url="/admin/"))[:2] == (302, "/admin/")
    settings.CONSOLE_WEB_URL = "https://console.example"
    assert (await surfer.sign_in())[1] == "https://console.example"
    assert (await surfer.sign_in(redirect_url="https://console.example/apps"))[1] == "https://console.example/apps"
    surfer.provider.person = {**ALICE, "sub": "other", "email_verified": False}
    _, onward, _ = await surfer.sign_in()
    assert onward.startswith("https://console.example/signin?message=")


async def test_the_entrance_lists_the_providers_and_says_nothing_that_an_address_makes_it_say(surfer: Surfer) -> None:
    status, _, page = await surfer.get("/signin?message=Call+0900")
    assert status == 200
    assert "Continue with The Issuer" in page and "0900" not in page


@pytest.mark.parametrize("path", ["login/nobody", "authorize/nobody", "login/%00"])
async def test_an_unknown_provider_is_refused(surfer: Surfer, path: str) -> None:
    answer = await surfer.house.call("GET", f"/console/api/oauth/{path}")
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")


@pytest.mark.parametrize(
    "path",
    ["signin/with/nobody", "signin/login/", "signin/signup/", "signin/password/reset/", "accounts/login/", "signin/social/"],
)
async def test_allauths_own_pages_have_no_address(surfer: Surfer, path: str) -> None:
    assert (await surfer.get(f"/{path}"))[0] == 404


async def test_a_provider_that_may_not_be_reached_is_not_reached(surfer: Surfer, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = Egress(AddressPolicy([]))
    monkeypatch.setattr(client, "sign_in_egress", lambda: strict)
    _, onward, _ = await surfer.get("/console/api/oauth/login/oidc")
    assert refused(await surfer.get(onward), "The sign-in failed")
    assert surfer.provider.asked == []
    await strict.aclose()


def test_one_identity_is_bound_once(cast: Cast) -> None:
    identity = Identity("oidc", "x", "alice@acme.example", True, "Alice")
    assert identities.bind(cast.alice.account, identity) == cast.alice.account
    assert identities.bind(cast.eve.account, identity) == cast.alice.account
    assert SocialAccount.objects.count() == 1


def test_providers_are_read_from_the_environment() -> None:
    given = {"OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b", "OIDC_ISSUER": "https://id.example/realm/", "OIDC_NAME": "Ours"}
    found = sign_in_providers(Env({**given, "GOOGLE_CLIENT_ID": "c", "GOOGLE_CLIENT_SECRET": "d"}))
    assert {name: (row.kind, row.title, row.url) for name, row in found.items()} == {
        "oidc": (OPENID_CONNECT, "Ours", "https://id.example/realm"),
        "google": (OPENID_CONNECT, "Google", "https://accounts.google.com"),
    }
    assert sign_in_hosts(found.values()) == ["id.example:443", "accounts.google.com:443"]
    assert "secret='b'" not in repr(found)


@pytest.mark.parametrize(
    "given",
    [
        {"GITHUB_CLIENT_ID": "a"},
        {"OIDC_CLIENT_SECRET": "b", "OIDC_ISSUER": "https://id.example"},
        {"OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"},
        {"OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b", "OIDC_ISSUER": "id.example"},
    ],
)
def test_half_a_provider_stops_the_start(given: dict[str, str]) -> None:
    with pytest.raises(EnvError):
        sign_in_providers(Env(given))
