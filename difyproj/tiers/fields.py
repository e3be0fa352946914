"""Field kinds of the contract: epoch seconds, ``user`` strings, prices as text."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from difyproj.kernel import clock, jsonio


class EpochField(serializers.IntegerField):
    """A moment as whole seconds since 1970."""

    def to_representation(self, value: Any) -> int:
        return clock.epoch(value)


@extend_schema_field(OpenApiTypes.DATETIME)
class IsoField(serializers.CharField):
    """A moment in ISO 8601."""

    def to_representation(self, value: Any) -> str:
        return str(value.isoformat())


class WrittenField(serializers.CharField):
    """Any value as text: JSON, unless it is text already."""

    def to_representation(self, value: Any) -> str:
        return value if isinstance(value, str) else jsonio.dumps_text(value)


class UserField(serializers.CharField):
    """The integrator's name for the person who asks."""

    default_error_messages = {
        "required": "Arg user must be provided.",
        "null": "Arg user must be provided.",
        "blank": "Arg user must be provided.",
    }

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 255)
        super().__init__(**options)


class OptionalUserField(UserField):
    """``user`` where the shared anonymous person may stand in."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_blank=True, allow_null=True, **options)


class LimitField(serializers.IntegerField):
    """``limit`` of a cursor list."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "default": 20, "min_value": 1, "max_value": 100, **options})


class CursorField(serializers.UUIDField):
    """The row that a list goes on behind; clients send it empty for the beginning."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, **options})

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(None if data == "" else data)


class QueryField(serializers.CharField):
    """What somebody asks, as it was written; NUL characters, which no database takes, are left out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "allow_blank": True, **options})

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(data.replace("\0", "") if isinstance(data, str) else data)


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.JSONField):
    """Any JSON object."""

    default_error_messages = {"not_object": "Expected an object."}

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            self.fail("not_object")
        return value
