"""Several credentials, cool-downs, retries and time limits."""

from __future__ import annotations

import asyncio

import pytest

from difyproj.kernel.errors import ModelNotSupported, ProviderNotInitialize
from difyproj.kernel.http import AddressPolicy, Egress
from difyproj.model_runtime.base import Credential
from difyproj.model_runtime.credentials import CredentialPool
from difyproj.model_runtime.errors import ModelCallFailed
from difyproj.model_runtime.runtime import Backoff, ModelRuntime
from difyproj.testing.upstream import FakeUpstream, Script

from .rows import collect, credential, request


def keys(up: FakeUpstream) -> list[str]:
    return [got.headers["authorization"].removeprefix("Bearer ") for got in up.received]


def pair(up: FakeUpstream) -> list[Credential]:
    return [credential("openai", up, key="sk-first"), credential("openai", up, key="sk-second")]


async def test_the_least_busy_credential_serves_the_next_call(runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=Script(delay=0.005)) as up:
        await asyncio.gather(*(collect(runtime.stream("openai", pair(up), request())) for _ in range(4)))
        assert sorted(keys(up)) == ["sk-first", "sk-first", "sk-second", "sk-second"]


@pytest.mark.parametrize("status", [401, 402, 429])
async def test_another_credential_steps_in_at_once_and_the_bad_one_rests(status: int, runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=Script(keys={"sk-first": status})) as up:
        for _ in range(3):
            assert (await collect(runtime.stream("openai", pair(up), request()))).text == "Hello, world!"
        assert keys(up) == ["sk-first", "sk-second", "sk-second", "sk-second"]


async def test_a_resting_credential_comes_back_when_its_time_is_over() -> None:
    moment = [100.0]
    pool = CredentialPool(now=lambda: moment[0])
    first, second = Credential("1", {}), Credential("2", {})
    pool.failed("openai", first, ModelCallFailed("busy", upstream_status=429, retry_after=20))
    assert pool.take("openai", [first, second]) is second
    moment[0] = 119.0
    assert pool.take("openai", [first, second]) is second
    moment[0] = 121.0
    assert pool.take("openai", [first, second]) is first


async def test_the_only_credential_is_used_even_while_it_rests(runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=Script(fail=401, fail_times=1)) as up:
        only = [credential("openai", up)]
        with pytest.raises(ProviderNotInitialize):
            await collect(runtime.stream("openai", only, request()))
        assert (await collect(runtime.stream("openai", only, request()))).text == "Hello, world!"


async def test_all_credentials_refused_is_the_last_refusal(runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=Script(fail=401)) as up:
        with pytest.raises(ProviderNotInitialize):
            await collect(runtime.stream("openai", pair(up), request()))
        assert sorted(keys(up)) == ["sk-first", "sk-second"]


async def test_a_call_gives_up_after_its_tries(runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=Script(fail=500)) as up:
        with pytest.raises(ModelCallFailed) as caught:
            await collect(runtime.stream("openai", [credential("openai", up)], request()))
        assert (up.requests, caught.value.upstream_status) == (3, 500)


async def test_the_whole_call_has_a_time_limit(runtime: ModelRuntime) -> None:
    async with FakeUpstream(script=Script(tokens=["x"] * 50, delay=0.02)) as up:
        with pytest.raises(ModelCallFailed, match="in time"):
            await collect(runtime.stream("openai", [credential("openai", up)], request(timeout=0.2)))
        await up.until(lambda: up.aborted == 1, seconds=1)


async def test_an_unreachable_server_is_a_retryable_failure(runtime: ModelRuntime) -> None:
    async with FakeUpstream() as up:
        gone = credential("openai", up)
    with pytest.raises(ModelCallFailed, match="could not be reached") as caught:
        await collect(runtime.stream("openai", [gone], request()))
    assert caught.value.retryable


async def test_a_host_that_the_policy_forbids_is_refused_without_another_try() -> None:
    http = Egress(AddressPolicy())
    async with FakeUpstream() as up:
        with pytest.raises(ModelCallFailed) as caught:
            await collect(ModelRuntime(http).stream("openai", [credential("openai", up)], request()))
        assert not caught.value.retryable
        assert up.requests == 0
    await http.aclose()


async def test_a_missing_credential_says_whose(runtime: ModelRuntime) -> None:
    with pytest.raises(ProviderNotInitialize, match="OpenAI"):
        await collect(runtime.stream("langgenius/openai/openai", [], request()))
    with pytest.raises(ProviderNotInitialize, match="Anthropic"):
        await runtime.validate("anthropic", Credential("x", {"anthropic_api_key": ""}))


async def test_a_base_url_that_is_none_is_a_credential_error(runtime: ModelRuntime) -> None:
    with pytest.raises(ProviderNotInitialize, match="http"):
        await collect(runtime.stream("ollama", [Credential("x", {"base_url": "file:///etc/passwd"})], request()))


async def test_an_unknown_provider_is_not_supported(runtime: ModelRuntime) -> None:
    with pytest.raises(ModelNotSupported, match="Unknown model provider 'nobody/nothing'"):
        await collect(runtime.stream("nobody/nothing", [], request()))


async def test_a_credential_is_free_again_after_every_kind_of_end(runtime: ModelRuntime) -> None:
    async with FakeUpstream() as up:
        only = credential("openai", up)
        for script in (Script(), Script(fail=500), Script(disconnect_after=2, delay=0.001)):
            up.script = script
            await asyncio.gather(collect(runtime.stream("openai", [only], request())), return_exceptions=True)
            assert runtime.pool.busy("openai", only) == 0


def test_a_provider_that_asks_for_more_patience_than_there_is_gets_no_second_call() -> None:
    backoff = Backoff(tries=3, first=1.0, longest=4.0)
    assert backoff.wait(1, ModelCallFailed("busy", retry_after=3.0)) == 3.0
    assert backoff.wait(1, ModelCallFailed("busy", retry_after=60.0)) is None
    assert 0.75 <= (backoff.wait(1, ModelCallFailed("busy")) or 0) <= 1.25
    assert 3.0 <= (backoff.wait(9, ModelCallFailed("busy")) or 0) <= 5.0
