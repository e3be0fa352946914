"""The bases of what the tiers read and answer, and the answers that many routes share."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from .fields import LimitField

SUCCESS: Final = {"result": "success"}


# Their docstrings would describe every body and every shape of the OpenAPI documents.
class Fields(serializers.Serializer[Any]): ...


class Shape(serializers.Serializer[Any]): ...


class PageFields(Fields):
    page = serializers.IntegerField(required=False, default=1, min_value=1, max_value=99_999)
    limit = LimitField()
