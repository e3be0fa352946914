"""The account over the Console API: its profile, password, address and end, and where it is signed in."""

from __future__ import annotations

import io
from uuid import uuid4

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from PIL import Image

from accounts.models import Account, AccountStatus, Challenge, Membership, Session, Tenant
from accounts.services import accounts, email_change, profile, sessions, tenants
from apps.models import UploadFile
from difyproj.infra.models import AuditEntry
from difyproj.testing.browser import set_cookies
from difyproj.testing.cast import PASSWORD, Cast, Person
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.mailbox import code_for, letters_to
from difyproj.testing.served import Served

NEW_PASSWORD = "an entirely different phrase"
CODE_FOR, LETTERS_TO = sync_to_async(code_for), sync_to_async(letters_to)


@pytest.fixture
async def client(house: Served, alice: Person) -> TierClient:
    return await signed_in(house, alice)


async def test_the_profile_tells_the_account_in_the_contracts_fields(client: TierClient, alice: Person) -> None:
    told = (await client.get("/account/profile")).json()
    account = await Account.objects.aget(pk=alice.account.pk)
    assert account.last_login is not None
    assert told == {
        "id": str(account.pk),
        "name": "Alice",
        "avatar": "",
        "avatar_url": None,
        "email": "alice@acme.example",
        "is_password_set": True,
        "interface_language": "en-US",
        "interface_theme": "light",
        "timezone": "UTC",
        "last_login_at": int(account.last_login.timestamp()),
        "last_login_ip": None,
        "created_at": int(account.created_at.timestamp()),
    }


@pytest.mark.parametrize(
    ("path", "body", "kept"),
    [
        ("name", {"name": "Alice Liddell"}, "name"),
        ("interface-language", {"interface_language": "zh-Hans"}, "interface_language"),
        ("interface-theme", {"interface_theme": "dark"}, "interface_theme"),
        ("timezone", {"timezone": "Asia/Shanghai"}, "timezone"),
    ],
)
async def test_what_the_account_chooses_is_kept(
    client: TierClient, alice: Person, path: str, body: dict[str, str], kept: str
) -> None:
    answer = await client.post(f"/account/{path}", {**body, "id": str(uuid4()), "status": "banned", "is_superuser": True})
    assert answer.status == 200
    assert answer.json()[kept] == body[kept]
    account = await Account.objects.aget(pk=alice.account.pk)
    assert getattr(account, kept) == body[kept]
    assert (account.status, account.is_superuser) == ("active", False)
    assert (await client.get("/account/profile")).json()[kept] == body[kept]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("name", {"name": "Al"}),
        ("name", {"name": "x" * 31}),
        ("name", {"name": "nul\0nul"}),
        ("name", {}),
        ("interface-language", {"interface_language": "tlh"}),
        ("interface-theme", {"interface_theme": "neon"}),
        ("timezone", {"timezone": "Mars/Olympus"}),
        ("timezone", {"timezone": "../../etc/passwd"}),
        ("avatar", {"avatar": "x" * 300}),
        ("change-email", {"email": "no address"}),
    ],
)
async def test_what_nobody_can_choose_is_refused(client: TierClient, path: str, body: dict[str, str]) -> None:
    answer = await client.post(f"/account/{path}", body)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_param")


async def test_the_account_is_not_told_to_strangers(house: Served) -> None:
    for method, path in (("GET", "profile"), ("POST", "name"), ("GET", "sessions"), ("POST", "password"), ("POST", "delete")):
        answer = await house.call(method, f"/console/api/account/{path}", headers={"Authorization": ""}, json={})
        assert (answer.status, answer.json()["code"]) == (401, "unauthorized")


async def upload_of(client: TierClient, name: str = "me.png") -> UploadFile:
    picture = io.BytesIO()
    Image.new("RGB", (4, 4), "navy").save(picture, "PNG")
    form = aiohttp.FormData()
    form.add_field("file", picture.getvalue(), filename=name, content_type="image/png")
    answer = await client.post("/files/upload", data=form)
    assert answer.status == 201, answer.body
    return await UploadFile.objects.aget(pk=answer.json()["id"])


async def test_an_avatar_is_ones_own_image_and_shown_by_a_signed_address(
    client: TierClient, house: Served, alice: Person, eve: Person
) -> None:
    picture = await upload_of(client)
    told = (await client.post("/account/avatar", {"avatar": str(picture.pk)})).json()
    assert told["avatar"] == str(picture.pk)
    assert f"/files/{picture.pk}/file-preview?" in told["avatar_url"]
    members = (await client.get("/workspaces/current/members")).json()["accounts"]
    assert [bool(member["avatar_url"]) for member in members if member["name"] == "Alice"] == [True]
    assert (await client.get("/account/avatar", avatar=str(picture.pk))).json()["avatar_url"]
    evil = await signed_in(house, eve)
    assert (await evil.get("/account/avatar", avatar=str(picture.pk))).json() == {"avatar_url": None}
    stolen = await evil.post("/account/avatar", {"avatar": str(picture.pk)})
    assert (stolen.status, stolen.json()["code"]) == (404, "file_not_found")
    assert (await Account.objects.aget(pk=eve.account.pk)).avatar == ""
    assert (await client.post("/account/avatar", {"avatar": ""})).json()["avatar_url"] is None


async def test_a_password_is_changed_by_who_knows_it_and_every_other_session_ends(
    client: TierClient, house: Served, alice: Person
) -> None:
    other = await signed_in(house, alice)
    assert (await other.get("/account/profile")).status == 200
    body = {"password": PASSWORD, "new_password": NEW_PASSWORD, "repeat_new_password": NEW_PASSWORD}
    answer = await client.post("/account/password", body)
    assert (answer.status, answer.json()) == (200, {"result": "success"})
    assert (await other.get("/account/profile")).status == 401
    assert (await client.get("/account/profile")).status == 401
    kept = dict(line.partition(";")[0].split("=", 1) for line in set_cookies(answer))
    fresh = TierClient(house, "/console/api", {"Authorization": f"Bearer {kept['access_token']}"})
    assert (await fresh.get("/account/profile")).status == 200
    account = await Account.objects.aget(pk=alice.account.pk)
    assert account.check_password(NEW_PASSWORD)
    assert await Session.objects.filter(account=account).acount() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"password": "wrong"}, "current_password_incorrect"),
        ({}, "current_password_incorrect"),
        ({"password": None}, "current_password_incorrect"),
        ({"password": PASSWORD, "repeat_new_password": "another"}, "repeat_password_not_match"),
        ({"password": PASSWORD, "new_password": "short", "repeat_new_password": "short"}, "invalid_param"),
        ({"password": PASSWORD, "new_password": "x" * 5000, "repeat_new_password": "x" * 5000}, "invalid_param"),
    ],
)
async def test_a_password_stays_without_proof_or_for_a_bad_one(
    client: TierClient, alice: Person, body: dict[str, str], code: str
) -> None:
    answer = await client.post("/account/password", {"new_password": NEW_PASSWORD, "repeat_new_password": NEW_PASSWORD, **body})
    assert (answer.status, answer.json()["code"]) == (400, code)
    assert (await Account.objects.aget(pk=alice.account.pk)).check_password(PASSWORD)
    assert (await client.get("/account/profile")).status == 200


async def test_guesses_of_the_present_password_are_counted(
    client: TierClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "PROOF_RATE", "2/h")
    body = {"password": "wrong", "new_password": NEW_PASSWORD, "repeat_new_password": NEW_PASSWORD}
    answers = [await client.post("/account/password", {**body, "password": guess}) for guess in ("a", "b", PASSWORD)]
    assert [answer.status for answer in answers] == [400, 400, 429]
    assert answers[-1].json()["code"] == "email_code_login_limit"
    assert (await Account.objects.aget(pk=alice.account.pk)).check_password(PASSWORD)


async def test_sessions_are_listed_and_ended_one_by_one_or_all_but_this(
    client: TierClient, house: Served, alice: Person, eve: Person
) -> None:
    second, third, foreign = await signed_in(house, alice), await signed_in(house, alice), await signed_in(house, eve)
    listed = (await client.get("/account/sessions")).json()["data"]
    assert len(listed) == 3
    assert [row["current"] for row in listed].count(True) == 1
    assert set(listed[0]) == {
        "id", "scope", "method", "ip", "user_agent", "current", "created_at", "last_used_at", "expires_at",
    }  # fmt: skip
    mine = next(row["id"] for row in listed if row["current"])
    seconds = next(row["id"] for row in (await second.get("/account/sessions")).json()["data"] if row["current"])
    eves = (await foreign.get("/account/sessions")).json()["data"][0]["id"]
    assert (await client.delete(f"/account/sessions/{eves}")).status == 404
    assert (await client.delete("/account/sessions/nonsense")).status == 404
    assert (await client.delete(f"/account/sessions/{seconds}")).status == 204
    assert (await second.get("/account/profile")).status == 401
    assert (await client.delete("/account/sessions")).json() == {"result": "success", "closed": 1}
    assert (await third.get("/account/profile")).status == 401
    assert [row["id"] for row in (await client.get("/account/sessions")).json()["data"]] == [mine]
    assert (await foreign.get("/account/profile")).status == 200


async def test_an_account_that_never_chose_is_asked_to_before_anything_else(
    client: TierClient, house: Served, norma: Person
) -> None:
    await sync_to_async(accounts.set_status)(account=norma.account, status=AccountStatus.UNINITIALIZED)
    normas = await signed_in(house, norma)
    refused = await normas.get("/account/profile")
    assert (refused.status, refused.json()["code"]) == (400, "account_not_initialized")
    wrong = await normas.post("/account/init", {"interface_language": "xx", "timezone": "UTC"})
    assert wrong.status == 400
    body = {"interface_language": "de-DE", "timezone": "Europe/Berlin", "invitation_code": "ignored"}
    assert (await normas.post("/account/init", body)).json() == {"result": "success"}
    account = await Account.objects.aget(pk=norma.account.pk)
    assert (account.status, account.interface_language, account.timezone) == ("active", "de-DE", "Europe/Berlin")
    assert account.initialized_at is not None
    again = await normas.post("/account/init", body)
    assert (again.status, again.json()["code"]) == (400, "account_already_inited")


async def _proof_of_old(client: TierClient) -> str:
    sent = (await client.post("/account/change-email", {"email": "alice@acme.example"})).json()
    code = await CODE_FOR("alice@acme.example")
    body = {"email": "alice@acme.example", "code": code, "token": sent["data"]}
    checked = (await client.post("/account/change-email/validity", body)).json()
    assert (checked["is_valid"], checked["email"]) == (True, "alice@acme.example")
    return str(checked["token"])


async def _proof_of_new(client: TierClient, email: str) -> str:
    body = {"email": email, "phase": "new_email", "token": await _proof_of_old(client)}
    sent = await client.post("/account/change-email", body)
    assert sent.status == 200, sent.body
    body = {"email": email, "code": await CODE_FOR(email), "token": sent.json()["data"]}
    return str((await client.post("/account/change-email/validity", body)).json()["token"])


async def test_an_address_changes_after_both_were_shown_and_all_sessions_end(client: TierClient, alice: Person) -> None:
    token = await _proof_of_new(client, "alice@wonder.example")
    answer = await client.post("/account/change-email/reset", {"new_email": "Alice@Wonder.example", "token": token})
    assert (answer.status, answer.json()["email"]) == (200, "alice@wonder.example")
    assert (await Account.objects.aget(pk=alice.account.pk)).email == "alice@wonder.example"
    assert (await client.get("/account/profile")).status == 401
    assert "alice@wonder.example" in (await LETTERS_TO("alice@acme.example"))[-1].body


async def test_an_address_does_not_change_without_the_proof_of_both(client: TierClient, house: Served, eve: Person) -> None:
    wrong = await client.post("/account/change-email", {"email": "somebody@else.example"})
    assert (wrong.status, wrong.json()["code"]) == (400, "invalid_email")
    unproven = await client.post("/account/change-email", {"email": "a@b.example", "phase": "new_email", "token": "x"})
    assert (unproven.status, unproven.json()["code"]) == (400, "invalid_or_expired_token")
    old = await _proof_of_old(client)
    early = await client.post("/account/change-email/reset", {"new_email": "a@b.example", "token": old})
    assert (early.status, early.json()["code"]) == (400, "invalid_or_expired_token")
    proof = await _proof_of_new(client, "alice@wonder.example")
    evil = await signed_in(house, eve)
    stolen = await evil.post("/account/change-email/reset", {"new_email": "alice@wonder.example", "token": proof})
    assert (stolen.status, stolen.json()["code"]) == (400, "invalid_or_expired_token")
    other = await client.post("/account/change-email/reset", {"new_email": "other@wonder.example", "token": proof})
    assert (other.status, other.json()["code"]) == (400, "invalid_email")
    assert not await Account.objects.filter(email__endswith="wonder.example").aexists()
    assert (await Account.objects.aget(pk=eve.account.pk)).email == "eve@evil.example"


async def test_a_taken_address_is_told_so(client: TierClient) -> None:
    for email, status in (("BOB@acme.example", 400), ("free@acme.example", 200)):
        answer = await client.post("/account/change-email/check-email-unique", {"email": email})
        assert answer.status == status
    taken = {"email": "bob@acme.example", "phase": "new_email", "token": await _proof_of_old(client)}
    refused = await client.post("/account/change-email", taken)
    assert (refused.status, refused.json()["code"]) == (400, "email_already_in_use")


async def test_nobody_learns_without_a_proof_who_has_an_address(client: TierClient) -> None:
    for email in ("bob@acme.example", "free@acme.example"):
        for path, field in (("change-email", "email"), ("change-email/reset", "new_email")):
            answer = await client.post(f"/account/{path}", {field: email, "phase": "new_email", "token": "x"})
            assert (answer.status, answer.json()["code"]) == (400, "invalid_or_expired_token")


async def test_a_proof_of_the_own_address_does_not_ask_after_others_without_end(
    client: TierClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_change, "QUESTIONS", "3/h")
    taken = {"email": "bob@acme.example", "phase": "new_email", "token": await _proof_of_old(client)}
    codes = [(await client.post("/account/change-email", taken)).json()["code"] for _ in range(4)]
    assert codes == ["email_already_in_use"] * 3 + ["email_change_limit"]


async def test_a_member_deletes_the_own_account_with_a_code(house: Served, cast: Cast) -> None:
    norma = await signed_in(house, cast.norma)
    token = (await norma.get("/account/delete/verify")).json()["data"]
    wrong = await norma.post("/account/delete", {"token": token, "code": "000000x"})
    assert (wrong.status, wrong.json()["code"]) == (400, "email_code_error")
    answer = await norma.post("/account/delete", {"token": token, "code": await CODE_FOR("norma@acme.example")})
    assert (answer.status, answer.json()) == (200, {"result": "success"})
    account = await Account.objects.aget(pk=cast.norma.account.pk)
    assert account.status == "closed"
    assert "norma" not in f"{account.email} {account.name}".lower()
    assert not await Membership.objects.filter(account=account).aexists()
    assert not await Session.objects.filter(account=account).aexists()
    assert not await Challenge.objects.filter(email="norma@acme.example").aexists()
    assert (await norma.get("/account/profile")).status == 401


async def test_an_owner_with_members_stays_and_one_alone_archives_the_workspace(
    client: TierClient, house: Served, cast: Cast
) -> None:
    token = (await client.get("/account/delete/verify")).json()["data"]
    answer = await client.post("/account/delete", {"token": token, "code": await CODE_FOR("alice@acme.example")})
    assert (answer.status, answer.json()["code"]) == (400, "account_still_needed")
    assert (await client.get("/account/profile")).status == 200
    evil = await signed_in(house, cast.eve)
    token = (await evil.get("/account/delete/verify")).json()["data"]
    assert (await evil.post("/account/delete", {"token": token, "code": await CODE_FOR("eve@evil.example")})).status == 200
    assert (await Tenant.objects.aget(pk=cast.eve.tenant.pk)).status == "archived"
    assert await Membership.objects.filter(tenant=cast.eve.tenant, role="owner").acount() == 1


async def test_another_persons_deletion_code_deletes_nobody(client: TierClient, house: Served, cast: Cast) -> None:
    norma = await signed_in(house, cast.norma)
    token = (await norma.get("/account/delete/verify")).json()["data"]
    code = await CODE_FOR("norma@acme.example")
    stolen = await client.post("/account/delete", {"token": token, "code": code})
    assert (stolen.status, stolen.json()["code"]) == (400, "invalid_or_expired_token")
    assert await Account.objects.filter(status="closed").acount() == 0


async def test_why_somebody_left_is_kept_for_the_operator(house: Served) -> None:
    body = {"email": "gone@acme.example", "feedback": "Too many codes."}
    answer = await house.call("POST", "/console/api/account/delete/feedback", headers={"Authorization": ""}, json=body)
    assert answer.json() == {"result": "success"}
    entry = await AuditEntry.objects.aget(action="account.closing_feedback")
    assert (entry.target_id, entry.after) == ("gone@acme.example", {"feedback": "Too many codes."})


async def test_education_is_off(client: TierClient) -> None:
    assert (await client.get("/account/education")).json()["is_student"] is False
    assert (await client.post("/account/education")).status == 403
    assert (await client.get("/account/education/verify")).status == 403
    assert (await client.get("/account/education/autocomplete", keywords="Uni")).json()["data"] == []


async def test_a_suspended_accounts_sessions_end_at_once(client: TierClient, alice: Person) -> None:
    await sync_to_async(accounts.set_status)(account=alice.account, status=AccountStatus.BANNED)
    assert (await client.get("/account/profile")).status == 401
    assert not await Session.objects.filter(account=alice.account).aexists()


@pytest.mark.parametrize(("role", "ends"), [("dataset_operator", True), ("normal", True), ("admin", False)])
def test_who_may_do_less_is_signed_out_and_who_may_do_more_is_not(cast: Cast, role: str, ends: bool) -> None:
    sessions.open(cast.bob.account, method="test")
    tenants.change_role(membership=cast.bob.membership, role=role)
    assert Session.objects.filter(account=cast.bob.account).exists() is not ends


def test_every_language_has_the_shape_of_one(cast: Cast) -> None:
    assert len(set(profile.LANGUAGES)) == len(profile.LANGUAGES) > 20
    assert profile.LANGUAGES[0] == "en-US"
