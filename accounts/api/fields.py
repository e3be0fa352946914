"""Field kinds of the contract that the account tiers write."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.models import Account
from difyproj.kernel import clock


class AddressField(serializers.EmailField):
    """An e-mail address as it is kept, and judged only then: lower case may be longer than what was written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=255, **options)

    def to_internal_value(self, data: Any) -> str:
        return Account.objects.normalize_email(super().to_internal_value(data))


class MomentField(serializers.IntegerField):
    """A moment as whole seconds since 1970."""

    def to_representation(self, value: Any) -> int:
        return clock.epoch(value)
