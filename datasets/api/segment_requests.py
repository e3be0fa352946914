"""What is asked of segments and their children."""

from __future__ import annotations

from typing import Final

from rest_framework import serializers

from datasets.services.segments import LONGEST, MOST_AT_ONCE, MOST_KEYWORDS
from difyproj.tiers.fields import QueryField
from difyproj.tiers.shapes import Fields

from .dataset_requests import PageFields, Text

MOST_FILES: Final = 10


class KeywordsField(serializers.ListField):
    child = serializers.CharField(max_length=255)


class FilesField(serializers.ListField):
    child = serializers.UUIDField()


class NewSegmentFields(Fields):
    content = QueryField(allow_blank=False, max_length=LONGEST)
    answer = QueryField(required=False, allow_null=True, max_length=LONGEST)
    keywords = KeywordsField(required=False, allow_null=True, max_length=MOST_KEYWORDS)
    attachment_ids = FilesField(required=False, allow_null=True, max_length=MOST_FILES)


class SegmentsFields(Fields):
    segments = serializers.ListField(child=NewSegmentFields(), min_length=1, max_length=MOST_AT_ONCE)


class ChangedSegmentFields(Fields):
    content = QueryField(required=False, allow_null=True, max_length=LONGEST)
    answer = QueryField(required=False, allow_null=True, max_length=LONGEST)
    keywords = KeywordsField(required=False, allow_null=True, max_length=MOST_KEYWORDS)
    enabled = serializers.BooleanField(required=False, allow_null=True)
    regenerate_child_chunks = serializers.BooleanField(required=False, default=False)
    attachment_ids = FilesField(required=False, allow_null=True, max_length=MOST_FILES)
    summary = QueryField(required=False, allow_null=True, max_length=LONGEST)


class SegmentChangeFields(Fields):
    segment = ChangedSegmentFields()


class SegmentListFields(PageFields):
    status = serializers.ListField(child=serializers.CharField(max_length=32), required=False, max_length=10)
    keyword = Text()


class ChildChunkListFields(PageFields):
    keyword = Text()


class ChildChunkFields(Fields):
    content = QueryField(allow_blank=False, max_length=LONGEST)
