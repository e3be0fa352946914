"""Operations of features that this server does not have: they exist, and say so in the contract's shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.urls import URLPattern, URLResolver, path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.kernel.errors import Forbidden

from . import console_table
from .console import ANY_MEMBER, ConsoleViewSet
from .console_table import Operation


@extend_schema(exclude=True)
class FeatureOff(ConsoleViewSet):
    """``told`` is the sentence for each method, ``answers`` what who only reads gets instead."""

    needs = {"refuse": ANY_MEMBER}
    told: ClassVar[Mapping[str, str]] = {}
    answers: ClassVar[Mapping[str, Any]] = {}

    def refuse(self, request: Request, **_: str) -> Response:
        method = str(request.method).lower()
        if method in self.answers:
            return Response(self.answers[method])
        raise Forbidden(self.told[method])


def patterns(beside: Iterable[URLPattern | URLResolver]) -> list[URLPattern]:
    """Routes for every operation that is off and that ``beside`` does not answer itself."""
    table, served = console_table.read(), console_table.routed(beside)
    places: dict[str, list[Operation]] = {}
    for operation in table.operations:
        if operation.word == console_table.Status.OFF and operation.key not in served:
            places.setdefault(operation.key[1], []).append(operation)
    return [_pattern(operations, table) for _, operations in sorted(places.items(), key=_by_words)]


def _by_words(place: tuple[str, list[Operation]]) -> list[tuple[bool, str]]:
    """Words come before parameters, which would take them for values."""
    return [(part == "{}", part) for part in place[0].split("/")]


def _pattern(operations: list[Operation], table: console_table.Table) -> URLPattern:
    methods = [operation.method.lower() for operation in operations]
    view = FeatureOff.as_view(
        dict.fromkeys(methods, "refuse"),
        told={operation.method.lower(): table.off[operation.about] for operation in operations},
        answers={operation.key[0]: table.answers[operation.key] for operation in operations if operation.key in table.answers},
    )
    return path(_route(operations[0].path), view)


def _route(written: str) -> str:
    """The path as Django writes it. A model provider's name may have slashes."""
    return written[1:].replace("{provider}", "<path:provider>").replace("{", "<str:").replace("}", ">")
