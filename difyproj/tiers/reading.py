"""Input as serializers read it: the same checks and errors for bodies, queries and socket messages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from .errors import translate


def read(serializer: type[Serializer[Any]], data: Any) -> dict[str, Any]:
    """``data`` as the serializer reads it; what is no object has no fields. Raises InvalidParam that names the wrong field."""
    try:
        fields: dict[str, Any] = _reader(serializer).run_validation(data if isinstance(data, Mapping) else {})
    except ValidationError as error:
        raise translate(error) from error
    return fields


@cache
def _reader(serializer: type[Serializer[Any]]) -> Serializer[Any]:
    """One instance per class: making one copies every field, reading with one changes nothing in it."""
    return serializer()
