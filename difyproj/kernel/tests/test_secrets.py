"""Secrets at rest, tokens, signatures, and what takes a secret's place in logs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difyproj.kernel import secrets

keys = st.binary(min_size=32, max_size=32)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(key=keys, plaintext=st.binary(), context=st.binary(max_size=60))
def test_a_sealed_value_opens_with_its_key_and_context(key: bytes, plaintext: bytes, context: bytes) -> None:
    sealed = secrets.seal(key, plaintext, context=context)
    assert secrets.unseal(key, sealed, context=context) == plaintext
    assert len(plaintext) < 4 or plaintext not in sealed


@given(key=keys, other=keys, plaintext=st.binary(), context=st.binary(max_size=60), wrong=st.binary(max_size=60))
def test_a_sealed_value_stays_shut_under_another_key_or_context(
    key: bytes, other: bytes, plaintext: bytes, context: bytes, wrong: bytes
) -> None:
    sealed = secrets.seal(key, plaintext, context=context)
    if other != key:
        with pytest.raises(secrets.Unreadable):
            secrets.unseal(other, sealed, context=context)
    if wrong != context:
        with pytest.raises(secrets.Unreadable):
            secrets.unseal(key, sealed, context=wrong)


@given(data=st.data(), plaintext=st.binary(max_size=64))
def test_one_changed_bit_anywhere_shuts_a_sealed_value(data: st.DataObject, plaintext: bytes) -> None:
    key = secrets.new_data_key()
    sealed = bytearray(secrets.seal(key, plaintext, context=b"row"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(secrets.Unreadable):
        secrets.unseal(key, bytes(sealed), context=b"row")


@given(junk=st.binary(max_size=80))
def test_bytes_that_were_never_sealed_are_unreadable(junk: bytes) -> None:
    with pytest.raises(secrets.Unreadable):
        secrets.unseal(b"k" * 32, junk, context=b"")


def test_sealing_twice_gives_different_bytes() -> None:
    assert secrets.seal(b"k" * 32, b"same", context=b"") != secrets.seal(b"k" * 32, b"same", context=b"")


def test_a_wrapped_key_is_no_value_and_a_value_no_key() -> None:
    instance, data_key = secrets.new_data_key(), secrets.new_data_key()
    wrapped = secrets.wrap_key(instance, data_key, context=b"tenant:1")
    assert secrets.unwrap_key(instance, wrapped, context=b"tenant:1") == data_key
    with pytest.raises(secrets.Unreadable):
        secrets.unseal(instance, wrapped, context=b"tenant:1")
    with pytest.raises(secrets.Unreadable):
        secrets.unwrap_key(instance, secrets.seal(instance, data_key, context=b"tenant:1"), context=b"tenant:1")
    with pytest.raises(secrets.Unreadable):
        secrets.unwrap_key(instance, wrapped, context=b"tenant:2")


def test_a_key_of_the_wrong_length_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="32 bytes") as caught:
        secrets.seal(b"short", b"x", context=b"")
    assert not isinstance(caught.value, secrets.Unreadable)


def test_tokens_are_random_letters_and_digits_behind_their_prefix() -> None:
    tokens = {secrets.new_token("app-") for _ in range(1000)}
    assert len(tokens) == 1000
    for token in tokens:
        assert token.startswith("app-") and token[4:].isalnum() and token.isascii() and len(token) >= 28


def test_the_hash_of_a_token_is_stable_and_takes_any_text() -> None:
    assert secrets.hash_token("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(secrets.hash_token("\ud800 键")) == 64


@given(value=st.text(min_size=1, max_size=80))
def test_a_mask_shows_at_most_half_of_a_value_and_not_its_length(value: str) -> None:
    masked = secrets.mask(value)
    assert len(masked) <= 22 and secrets.REDACTED not in masked
    assert len(masked.replace("*", "")) <= len(value) / 2
    if "*" not in value:
        assert value not in masked


def test_a_mask_of_a_long_key_keeps_its_ends() -> None:
    assert secrets.mask("sk-proj-abcdefghijklmnopqrstuvwxyz") == "sk-pro************wxyz"
    assert secrets.mask("short") == "************"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "New_Password",
        "token",
        "ACCESS_TOKEN",
        "refreshToken",
        "tokens",
        "api_key",
        "apiKey",
        "X-Api-Key",
        "secret",
        "client_secret",
        "credential",
        "credentials",
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "set-cookie",
        "private_key",
        "api_key_tokens",
    ],
)
def test_what_stands_under_a_sensitive_name_is_redacted(name: str) -> None:
    assert secrets.redact({"a": [{name: "s3cr3t"}]}) == {"a": [{name: secrets.REDACTED}]}
    assert "s3cr3t" not in repr(secrets.redact({name: {"deep": ["s3cr3t"], "flat": "s3cr3t"}}))


def test_usage_counters_stay_readable() -> None:
    usage = {
        "total_tokens": 12,
        "prompt_tokens": 5,
        "max_tokens": 512,
        "tokens_per_second": 3.5,
        "token_count": 7,
        "completion_tokens": Decimal("7"),
        "prompt_tokens_details": {"cached": 3, "note": "s3cr3t", "api_key": "s3cr3t"},
    }
    assert secrets.redact(usage) == {
        **usage,
        "prompt_tokens_details": {"cached": 3, "note": secrets.REDACTED, "api_key": secrets.REDACTED},
    }


def test_text_under_a_counters_name_and_numbers_under_a_plain_token_are_redacted() -> None:
    assert secrets.redact({"max_tokens": "s3cr3t", "token": 123456, "tokens": ["s3cr3t"]}) == {
        "max_tokens": secrets.REDACTED,
        "token": secrets.REDACTED,
        "tokens": secrets.REDACTED,
    }


def test_structs_and_data_classes_are_redacted_by_field() -> None:
    class Wire(msgspec.Struct):
        api_key: str
        name: str

    @dataclass
    class Row:
        secret: str
        inner: Any

    assert secrets.redact(Row("s3cr3t", (Wire("s3cr3t", "n"),))) == {
        "secret": secrets.REDACTED,
        "inner": [{"api_key": secrets.REDACTED, "name": "n"}],
    }


def test_an_object_that_holds_itself_ends() -> None:
    knot: dict[str, Any] = {}
    knot["again"] = knot
    assert secrets.REDACTED in repr(secrets.redact(knot))


@given(value=json_values)
def test_redaction_is_idempotent_and_leaves_its_input_alone(value: Any) -> None:
    before = repr(value)
    once = secrets.redact(value)
    assert secrets.redact(once) == once and repr(value) == before


@given(name=st.sampled_from(["password", "x_token", "api-key", "SECRET"]), shape=json_values)
def test_no_secret_survives_redaction(name: str, shape: Any) -> None:
    assert "s3cr3t-value" not in repr(
        secrets.redact([shape, {name: ["s3cr3t-value", shape]}, ({"x": {name: "s3cr3t-value"}},)])
    )


@given(key=keys, message=st.binary(), expires=st.integers(1, 2**40))
def test_a_signature_holds_until_it_expires(key: bytes, message: bytes, expires: int) -> None:
    signature = secrets.sign(key, message, expires=expires)
    assert secrets.verify(key, message, signature, expires=expires, now=expires - 1)
    assert not secrets.verify(key, message, signature, expires=expires, now=expires)
    assert not secrets.verify(key, message, signature, expires=expires + 1, now=0)
    assert not secrets.verify(key, message + b"x", signature, expires=expires, now=0)


@given(signature=st.text(alphabet=st.characters(), max_size=60))
def test_a_signature_of_any_other_text_is_refused(signature: str) -> None:
    assert not secrets.verify(b"k", b"file", signature, expires=10, now=0)


def test_an_expiry_in_the_past_is_refused_by_the_real_clock() -> None:
    assert not secrets.verify(b"k", b"file", secrets.sign(b"k", b"file", expires=1_000_000_000), expires=1_000_000_000)
    assert secrets.verify(b"k", b"file", secrets.sign(b"k", b"file", expires=2**40), expires=2**40)
