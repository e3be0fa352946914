"""The process's clients for outbound HTTP, bound to what the operator allows.

One for each kind of address: a host that the operator named for sign-ins or for models is reached by nothing else.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings

from difyproj.kernel.http import AddressPolicy, Egress


@cache
def egress() -> Egress:
    """For addresses that callers name."""
    return Egress(AddressPolicy(settings.EGRESS_ALLOW))


@cache
def model_egress() -> Egress:
    """For model providers, those of the environment included wherever they stand."""
    return Egress(AddressPolicy([*settings.EGRESS_ALLOW, *settings.PROVIDER_HOSTS]))


@cache
def sign_in_egress() -> Egress:
    """For the sign-in providers of the environment, which no caller can choose."""
    return Egress(AddressPolicy([*settings.EGRESS_ALLOW, *settings.SIGN_IN_HOSTS]))


@cache
def store_egress() -> Egress:
    """For the vector store of the environment."""
    return Egress(AddressPolicy([*settings.EGRESS_ALLOW, *settings.STORE_HOSTS]))


async def close_all() -> None:
    """Close what they keep open."""
    for client in (egress, model_egress, sign_in_egress, store_egress):
        await client().aclose()
