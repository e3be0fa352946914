"""What is asked of documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from rest_framework import serializers

from datasets.models import DocForm
from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidParam
from difyproj.tiers.fields import ObjectField, QueryField
from difyproj.tiers.reading import read
from difyproj.tiers.shapes import Fields

from .dataset_requests import MOST_IDS, IndexFields, PageFields, Text

DATA: Final = {"type": "string", "description": "The fields as a JSON object."}
F = TypeVar("F", bound=Fields)


class RuleFields(Fields):
    process_rule = ObjectField(required=False, allow_null=True)
    doc_form = serializers.ChoiceField(DocForm.values, required=False, allow_null=True)
    doc_language = Text(max_length=64)


class DocumentDataFields(IndexFields, RuleFields):
    """What may be said beside a file."""

    original_document_id = serializers.UUIDField(required=False, allow_null=True)


class DocumentTextFields(DocumentDataFields):
    name = serializers.CharField(max_length=255)
    text = QueryField(allow_blank=False)


class DocumentChangeFields(RuleFields, IndexFields):
    """What may be said beside another file."""

    name = Text()


class DocumentTextChangeFields(DocumentChangeFields):
    text = QueryField(required=False, allow_null=True)


class DocumentListFields(PageFields):
    keyword = Text()
    status = Text(max_length=32)


class DetailFields(Fields):
    metadata = Text(max_length=32)


class IdsFields(Fields):
    document_ids = serializers.ListField(child=serializers.CharField(max_length=64), min_length=1, max_length=MOST_IDS)


def data_of(serializer: type[Fields], given: Any) -> dict[str, Any]:
    """The form field ``data``: an object, written as JSON. Raises InvalidParam."""
    value = given.get("data") if isinstance(given, Mapping) else None
    if not value:
        return read(serializer, {})
    try:
        parsed = jsonio.loads(value) if isinstance(value, str | bytes) else value
    except ValueError as error:
        raise InvalidParam("data is no JSON.", params="data") from error
    if not isinstance(parsed, Mapping):
        raise InvalidParam("data must be a JSON object.", params="data")
    return read(serializer, parsed)
