"""Field kinds of the contract that the account tiers write."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from difyproj.kernel import clock


class MomentField(serializers.IntegerField):
    """A moment as whole seconds since 1970."""

    def to_representation(self, value: Any) -> int:
        return clock.epoch(value)
