"""What was given once is never seen again (C1): no answer, error, log line, admin page or row holds a secret in the clear."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps as installed
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts.services import accounts, second_factor
from difyproj.kernel import clock, logs
from difyproj.settings.sign_in import OPENID_CONNECT, SignInProvider
from difyproj.testing.browser import Browser
from difyproj.testing.cast import PASSWORD
from difyproj.testing.console import TierClient, signed_in, visiting
from difyproj.testing.served import Answer, Served
from difyproj.testing.upstream import Script

from . import acme, acme_graphs
from .gets import callers, gets, read
from .shapes import ODD_BODIES
from .sweeping import operations
from .test_tenancy_admin import pages

PROVIDER_KEY = "sk-saved-5ecret0123456789abcdef"
MODEL_KEY = "sk-model-5ecret0123456789abcdef"
CLIENT_SECRET = "oidc-client-5ecret-0123456789"
PROMPT = "THE SECRET PROMPT"
BASE = "/workspaces/current/model-providers/openai"
Secrets = dict[str, str]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, as production writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


async def post(client: TierClient | Browser, path: str, body: dict[str, Any]) -> Any:
    answer = await client.post(path, body)
    assert answer.status < 300, answer.body
    return answer.json()


async def save(house: Served) -> Secrets:
    """Every kind of secret, given or made through the API as a browser does it."""
    browser = Browser(house)
    await post(browser, "/login", {"email": "alice@acme.example", "password": PASSWORD})
    keys = {"openai_api_key": PROVIDER_KEY, "openai_api_base": house.upstream.url}
    await post(browser, f"{BASE}/credentials", {"name": "saved", "credentials": keys})
    own = {"model": "own", "model_type": "llm", "credentials": {**keys, "openai_api_key": MODEL_KEY}}
    await post(browser, f"{BASE}/models/credentials", {"name": "saved", **own})
    app_key = (await post(browser, f"/apps/{house.chat.app.pk}/api-keys", {}))["token"]
    dataset_key = (await post(browser, "/datasets/api-keys", {}))["token"]
    setup = await post(browser, "/account/second-factor", {})
    code = second_factor.code_at(setup["secret"], int(clock.now().timestamp()) // second_factor.STEP)
    confirmed = {"token": setup["token"], "code": code, "password": PASSWORD}
    paper = (await post(browser, "/account/second-factor/confirm", confirmed))["recovery_codes"]
    return {
        **await sync_to_async(secrets_of_a_graph)(house),
        "a provider's key": PROVIDER_KEY,
        "a model's key": MODEL_KEY,
        "a sign-in provider's secret": CLIENT_SECRET,
        "an app's key": app_key,
        "a key for datasets": dataset_key,
        "the second factor": setup["secret"],
        "the setup's token": setup["token"],
        "a code on paper": paper[0],
        "a password": PASSWORD,
        "a sign-in": browser.cookies["access_token"],
        "a refresh token": browser.cookies["refresh_token"],
    }


def secrets_of_a_graph(house: Served) -> Secrets:
    app = acme_graphs.furnish(house)
    acme_graphs.add(app, 1)
    return acme_graphs.secrets_of(app)


@pytest.fixture
async def saved(house: Served, settings: Settings, log: io.StringIO) -> Secrets:
    provider = SignInProvider("oidc", OPENID_CONNECT, "Issuer", house.upstream.url, "id", CLIENT_SECRET)
    settings.SIGN_IN_PROVIDERS = {"oidc": provider}
    return await save(house)


def found_in(text: str, secrets: Secrets) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text]


def told(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace") + str(answer.headers)


async def test_no_get_of_any_tier_tells_a_secret(house: Served, saved: Secrets, log: io.StringIO) -> None:
    ids = {**acme.NAMES, **await acme.furnish(house), "private_model": acme.OTHER_MODEL, "model_id": "x"}
    await house.configure(house.chat, pre_prompt=PROMPT)
    clients = await callers(house, ids)
    for operation in gets():
        prompt = {} if operation.route.path.startswith("/console/api/apps") else {"a prompt": PROMPT}
        shown = told(await read(clients, operation, ids))
        if operation.route.path == "/api/passport":
            assert found_in(shown, saved) == []
            continue
        assert found_in(shown, {**saved, **prompt}) == [], operation
    alice = clients["/console/api/"]
    for secretly in ("true", "false"):
        export = await alice.get(f"/apps/{house.chat.app.pk}/export", include_secret=secretly)
        assert PROMPT.encode() in export.body and found_in(told(export), saved) == []
    assert found_in(log.getvalue(), {**saved, "a prompt": PROMPT}) == []


async def test_no_error_of_any_tier_tells_a_secret(house: Served, saved: Secrets, log: io.StringIO) -> None:
    alice = await signed_in(house, house.cast.alice)
    visitor = await visiting(house, house.chat.app)
    for client, prefix in ((alice, "console/api/"), (visitor, "api/"), (TierClient(house, "", {}), "v1/")):
        for operation in operations(prefix):
            if operation.route.path.endswith(("/logout", "/account/sessions", "openapi.json", "docs", "redoc")):
                continue
            path = operation.route.path.format(**dict.fromkeys(operation.route.parameters, "x")).removeprefix(client.prefix)
            for body in ODD_BODIES[2:]:
                answer = await client.call(operation.method.upper(), path, json=body)
                assert found_in(told(answer), saved) == [], operation
    assert found_in(log.getvalue(), saved) == []


async def test_what_a_provider_tells_of_a_key_is_not_passed_on(house: Served, saved: Secrets, log: io.StringIO) -> None:
    """Providers repeat the key that they refuse."""
    alice = await signed_in(house, house.cast.alice)
    visitor = await visiting(house, house.chat.app)
    keys = {"openai_api_key": PROVIDER_KEY, "openai_api_base": house.upstream.url}
    ask = {"inputs": {}, "query": "x", "response_mode": "blocking"}
    app = f"/apps/{house.chat.app.pk}"
    for status in (400, 401):
        house.upstream.script = Script(fail=status, fail_message=f"Incorrect API key {PROVIDER_KEY}, not {MODEL_KEY}")
        answers = [
            await alice.post(f"{BASE}/credentials/validate", {"credentials": keys}),
            await alice.post(f"{BASE}/credentials", {"credentials": keys}),
            await alice.post(f"{BASE}/models/credentials/validate", {"model": "own", "model_type": "llm", "credentials": keys}),
            await alice.post(f"{app}/chat-messages", ask),
            await alice.post(f"{app}/text-to-audio", {"text": "x"}),
            await visitor.post("/chat-messages", {**ask, "auto_generate_name": False}),
            await house.call("POST", "/v1/embeddings", json={"input": "x"}),
        ]
        for answer in answers:
            assert found_in(told(answer), {"a provider's key": PROVIDER_KEY}) == [], answer
    assert found_in(log.getvalue(), {"a provider's key": PROVIDER_KEY}) == []


async def test_no_page_of_the_admin_tells_a_secret(house: Served, saved: Secrets, log: io.StringIO) -> None:
    await sync_to_async(assert_admin_tells_none)(saved)
    assert found_in(log.getvalue(), saved) == []


def assert_admin_tells_none(saved: Secrets) -> None:
    client = Client()
    client.force_login(accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True))
    for page in pages():
        assert found_in(client.get(page).content.decode("utf-8", "replace"), saved) == [], page


async def test_no_row_and_no_letter_holds_a_secret(house: Served, saved: Secrets) -> None:
    """Audit entries, jobs and sessions included: what is kept is sealed or hashed."""
    await house.ask(response_mode="blocking", auto_generate_name=False)
    await sync_to_async(assert_rows_hold_none)(saved)
    for letter in mail.outbox:
        assert found_in(f"{letter.subject} {letter.body}", saved) == []


def assert_rows_hold_none(saved: Secrets) -> None:
    for model in installed.get_models():
        for row in model._default_manager.values("pk", *(field.attname for field in model._meta.concrete_fields)):
            plain = {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            assert found_in(str(plain), saved) == [], (model, row["pk"])
