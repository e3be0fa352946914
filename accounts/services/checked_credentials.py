"""Credentials that their provider accepts: nothing is kept before one cheap call has proved it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from accounts.models import Account, ModelCredential, Tenant
from difyproj.infra import db
from difyproj.infra.egress import model_egress
from difyproj.kernel.errors import DomainError, InvalidParam
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential
from difyproj.model_runtime.runtime import ModelRuntime

from . import credentials

CHECK_SECONDS = 30.0
MODEL_FIELD = "endpoint_model_name"
"""Where a server has no list of its models, the one that is asked."""


class CredentialRefused(InvalidParam):
    """The provider does not accept the credential, or could not be asked."""


async def check(*, provider: str, values: Mapping[str, str], model: str = "") -> None:
    """Raises InvalidParam for values that the form does not allow, CredentialRefused with what the provider says."""
    own = credentials.own_name(provider)
    asked = credentials.checked(own, values)
    if model and any(field.name == MODEL_FIELD for field in catalogue.provider_class(own).credential_fields):
        asked[MODEL_FIELD] = asked.get(MODEL_FIELD) or model
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await ModelRuntime(model_egress()).validate(own, Credential("", asked))
    except TimeoutError as error:
        raise CredentialRefused(
            f"The provider did not answer within {CHECK_SECONDS:g} seconds.", params="credentials"
        ) from error
    except DomainError as error:
        raise CredentialRefused(error.message, params="credentials") from error


async def verdict(
    *, provider: str, values: Mapping[str, str], model: str = "", kept: ModelCredential | None = None
) -> str | None:
    """What the provider holds against the values, None when it accepts them. ``kept`` is what masks in them stand for."""
    try:
        asked = values if kept is None else await db.run(credentials.merged, kept, values)
        await check(provider=provider, values=asked, model=model)
    except InvalidParam as refusal:
        return refusal.message
    return None


async def create(
    *,
    tenant: Tenant,
    provider: str,
    values: Mapping[str, str],
    name: str = "",
    model_type: str = "",
    model: str = "",
    created_by: Account | None = None,
) -> ModelCredential:
    await check(provider=provider, values=values, model=model)
    return await db.run(
        credentials.create,
        tenant=tenant,
        provider=provider,
        values=values,
        name=name,
        model_type=model_type,
        model=model,
        created_by=created_by,
    )


async def update(
    *, credential: ModelCredential, values: Mapping[str, str] | None = None, name: str | None = None
) -> ModelCredential:
    if values is not None:
        asked = await db.run(credentials.merged, credential, values)
        await check(provider=credential.provider, values=asked, model=credential.model)
    return await db.run(credentials.update, credential=credential, values=values, name=name)
