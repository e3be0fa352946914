"""The process's one client for outbound HTTP, bound to what the operator allows."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from difyproj.kernel.http import AddressPolicy, Egress


@cache
def egress() -> Egress:
    return Egress(AddressPolicy(settings.EGRESS_ALLOW))
