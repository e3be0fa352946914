"""Metadata fields as the API tiers write them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from datasets.models import Dataset
from datasets.services import metadata
from difyproj.tiers.shapes import Shape

from .dataset_records import FieldRecord


class CountedFieldRecord(FieldRecord):
    count = serializers.IntegerField()


class FieldList(Shape):
    doc_metadata = CountedFieldRecord(many=True)
    built_in_field_enabled = serializers.BooleanField()


class BuiltInRecord(Shape):
    name = serializers.CharField()
    type = serializers.CharField()


class BuiltInList(Shape):
    fields = BuiltInRecord(many=True)  # type: ignore[assignment]


def field_list(dataset: Dataset) -> dict[str, Any]:
    rows = [{**FieldRecord(field).data, "count": count} for field, count in metadata.counted(dataset)]
    return {"doc_metadata": rows, "built_in_field_enabled": dataset.built_in_field_enabled}


def built_in() -> dict[str, Any]:
    return {"fields": [{"name": name, "type": str(kind)} for name, kind in metadata.BUILT_IN.items()]}
