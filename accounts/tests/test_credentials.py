"""Credentials: sealed at rest under a key per tenant, never readable elsewhere, keys can be changed under way."""

from __future__ import annotations

import os

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import ModelCredential, Tenant
from accounts.services import credentials, data_keys
from difyproj.kernel import secrets
from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime.base import Credential
from difyproj.testing.cast import Cast

SECRET = "sk-live-0123456789abcdefghij"


def for_call(tenant: Tenant, provider: str, *, model_type: str = "", model: str = "") -> list[Credential]:
    """Opened: the custom model's own where it has any, otherwise the provider-wide ones."""
    own, wide = credentials.usable(tenant, provider, model_type=model_type, model=model)
    return credentials.opened(own or wide)


def store(cast: Cast, *, name: str = "default", model_type: str = "", model: str = "") -> ModelCredential:
    return credentials.create(
        tenant=cast.alice.tenant,
        provider="openai",
        values={"openai_api_key": SECRET},
        name=name,
        model_type=model_type,
        model=model,
    )


def everything_in_the_database() -> bytes:
    found: list[bytes] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.django_table_names(only_existing=True):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                found.extend(bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in row)
    return b"\n".join(found)


def test_a_dump_of_the_database_holds_no_plaintext(cast: Cast, settings: Settings) -> None:
    store(cast)
    dump = everything_in_the_database()
    assert b"alice@acme.example" in dump
    for plain in (SECRET.encode(), settings.INSTANCE_KEY, data_keys.open_key(cast.alice.tenant)):
        assert plain not in dump


def test_what_was_stored_comes_back_for_a_call_and_masked_for_people(cast: Cast) -> None:
    row = store(cast)
    (credential,) = for_call(cast.alice.tenant, "openai")
    assert (credential.id, credential.values) == (str(row.pk), {"openai_api_key": SECRET})
    assert SECRET not in repr(credential)
    assert SECRET not in credentials.masked(row)["openai_api_key"]
    assert for_call(cast.eve.tenant, "openai") == []


def test_one_tenants_leaked_data_key_does_not_open_anothers_credentials(cast: Cast) -> None:
    leaked = data_keys.open_key(cast.eve.tenant)
    row = store(cast)
    with pytest.raises(secrets.Unreadable):
        secrets.unseal(leaked, bytes(row.sealed), context=data_keys.sealing_context(row))


def test_a_sealed_value_or_key_that_is_moved_to_another_row_does_not_open(cast: Cast) -> None:
    first, second = store(cast), store(cast, name="second")
    ModelCredential.objects.filter(pk=second.pk).update(sealed=first.sealed)
    with pytest.raises(secrets.Unreadable):
        credentials.get_values(ModelCredential.objects.get(pk=second.pk))
    cast.eve.tenant.data_key = cast.alice.tenant.data_key
    with pytest.raises(secrets.Unreadable):
        data_keys.open_key(cast.eve.tenant)


def test_a_custom_models_own_credential_goes_before_the_providers(cast: Cast) -> None:
    wide, own = store(cast), store(cast, model_type="llm", model="my-model")
    ids = [item.id for item in for_call(cast.alice.tenant, "openai", model_type="llm", model="my-model")]
    assert ids == [str(own.pk)]
    assert [item.id for item in for_call(cast.alice.tenant, "openai")] == [str(wide.pk)]
    with pytest.raises(InvalidParam):
        store(cast, name="half", model="no-type")
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelCredential.objects.filter(pk=own.pk).update(model_type="")


def test_several_credentials_are_listed_oldest_first_without_the_disabled(cast: Cast) -> None:
    first, second, third = store(cast, name="a"), store(cast, name="b"), store(cast, name="c")
    credentials.update(credential=second, enabled=False)
    assert [item.id for item in for_call(cast.alice.tenant, "openai")] == [str(first.pk), str(third.pk)]
    with pytest.raises(credentials.CredentialNameTaken):
        store(cast, name="a")
    with pytest.raises(credentials.CredentialNameTaken):
        credentials.update(credential=first, name="c")
    credentials.delete(credential=first)
    assert [item.id for item in for_call(cast.alice.tenant, "openai")] == [str(third.pk)]


def test_a_mask_that_is_sent_back_keeps_the_secret(cast: Cast) -> None:
    row = store(cast)
    credentials.update(credential=row, values={**credentials.masked(row), "openai_organization": "org-1"})
    changed = ModelCredential.objects.get(pk=row.pk)
    assert credentials.get_values(changed) == {"openai_api_key": SECRET, "openai_organization": "org-1"}
    assert credentials.masked(changed)["openai_organization"] == "org-1"
    credentials.update(credential=row, values={"openai_api_key": credentials.UNCHANGED})
    assert credentials.get_values(ModelCredential.objects.get(pk=row.pk)) == {"openai_api_key": SECRET}


@pytest.mark.parametrize("before", ["", "https://first.example/v1"])
def test_a_kept_secret_is_never_sent_to_a_new_address(cast: Cast, before: str) -> None:
    values = {"openai_api_key": SECRET, "openai_api_base": before}
    row = credentials.create(tenant=cast.alice.tenant, provider="openai", values=values)
    moved = {"openai_api_key": credentials.masked(row)["openai_api_key"], "openai_api_base": "https://evil.example/v1"}
    with pytest.raises(InvalidParam, match="again"):
        credentials.update(credential=row, values=moved)
    assert credentials.get_values(ModelCredential.objects.get(pk=row.pk)) == values
    credentials.update(credential=row, values={**moved, "openai_api_key": "sk-new"})
    assert credentials.get_values(ModelCredential.objects.get(pk=row.pk))["openai_api_base"] == "https://evil.example/v1"


def test_a_provider_is_known_by_any_of_its_names_and_gets_what_it_needs(cast: Cast) -> None:
    values = {"openai_api_key": SECRET}
    row = credentials.create(tenant=cast.alice.tenant, provider="langgenius/openai/openai", values=values)
    assert row.provider == "openai"
    with pytest.raises(InvalidParam, match="no-such-provider"):
        credentials.create(tenant=cast.alice.tenant, provider="no-such-provider", values=values)
    with pytest.raises(InvalidParam, match="openai_api_key"):
        credentials.create(tenant=cast.alice.tenant, provider="openai", values={}, name="empty")
    with pytest.raises(InvalidParam, match="openai_api_key"):
        credentials.update(credential=row, values={"openai_api_key": ""})


@pytest.mark.parametrize("value", [None, 5, ["x"], "x" * 20_001])
def test_a_value_that_is_not_a_reasonable_text_is_refused(cast: Cast, value: object) -> None:
    with pytest.raises(InvalidParam):
        credentials.create(tenant=cast.alice.tenant, provider="openai", values={"openai_api_key": value})  # type: ignore[dict-item]
    assert not ModelCredential.objects.exists()


def test_the_list_for_a_call_costs_one_query(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    store(cast)
    tenant = Tenant.objects.get(pk=cast.alice.tenant.pk)
    with django_assert_num_queries(1):
        for_call(tenant, "openai")


class TestKeyRotation:
    def test_a_new_instance_key_wraps_every_data_key_again(self, cast: Cast, settings: Settings) -> None:
        row = store(cast)
        old, settings.INSTANCE_KEY = settings.INSTANCE_KEY, os.urandom(32)
        settings.INSTANCE_KEYS_PREVIOUS = [os.urandom(32), old]
        assert credentials.get_values(row) == {"openai_api_key": SECRET}
        call_command("rotate_keys")
        settings.INSTANCE_KEYS_PREVIOUS = []
        assert credentials.get_values(ModelCredential.objects.get(pk=row.pk)) == {"openai_api_key": SECRET}
        settings.INSTANCE_KEY = old
        with pytest.raises(secrets.Unreadable):
            credentials.get_values(ModelCredential.objects.get(pk=row.pk))

    def test_an_interrupted_rotation_is_finished_by_the_next(self, cast: Cast, settings: Settings) -> None:
        row = store(cast)
        old, settings.INSTANCE_KEY = settings.INSTANCE_KEY, os.urandom(32)
        settings.INSTANCE_KEYS_PREVIOUS = [old]
        assert data_keys.rewrap(cast.eve.tenant.pk)
        call_command("rotate_keys")
        assert not data_keys.rewrap(cast.eve.tenant.pk)
        settings.INSTANCE_KEYS_PREVIOUS = []
        assert credentials.get_values(ModelCredential.objects.get(pk=row.pk)) == {"openai_api_key": SECRET}

    def test_new_data_keys_make_the_old_ones_worthless(self, cast: Cast) -> None:
        row, leaked = store(cast), data_keys.open_key(cast.alice.tenant)
        call_command("rotate_keys", "--data-keys")
        row = ModelCredential.objects.get(pk=row.pk)
        assert credentials.get_values(row) == {"openai_api_key": SECRET}
        with pytest.raises(secrets.Unreadable):
            secrets.unseal(leaked, bytes(row.sealed), context=data_keys.sealing_context(row))

    def test_a_renewal_that_meets_a_damaged_row_changes_nothing(self, cast: Cast) -> None:
        good, bad = store(cast), store(cast, name="bad")
        ModelCredential.objects.filter(pk=bad.pk).update(sealed=b"damaged")
        with pytest.raises(CommandError, match=str(cast.alice.tenant.pk)):
            call_command("rotate_keys", "--data-keys")
        assert credentials.get_values(ModelCredential.objects.get(pk=good.pk)) == {"openai_api_key": SECRET}
