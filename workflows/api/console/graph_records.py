"""Drafts and versions, as the Console API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rest_framework import serializers

from accounts.models import Account
from difyproj.tiers.fields import EpochField, ObjectField
from difyproj.tiers.shapes import Shape
from workflows.models import Workflow
from workflows.services import environment

from ..records import SimpleAccountRecord


@dataclass(frozen=True, slots=True)
class Authored:
    """A version with who made it and who changed it last."""

    row: Workflow
    created_by: Account | None
    updated_by: Account | None


def authored(rows: Sequence[Workflow]) -> list[Authored]:
    """One query, none where nobody is named."""
    people = accounts_of(key for row in rows for key in (row.created_by_id, row.updated_by_id))
    return [Authored(row, _of(people, row.created_by_id), _of(people, row.updated_by_id)) for row in rows]


def accounts_of(keys: Iterable[UUID | None]) -> dict[UUID, Account]:
    wanted = {key for key in keys if key is not None}
    return {account.pk: account for account in Account.objects.filter(pk__in=wanted)} if wanted else {}


def _of(people: dict[UUID, Account], key: UUID | None) -> Account | None:
    return people.get(key) if key is not None else None


class WorkflowRecord(Shape):
    """Secrets are masked."""

    id = serializers.UUIDField(source="row.id")
    graph = ObjectField(source="row.graph")
    features = ObjectField(source="row.features")
    hash = serializers.CharField(source="row.hash")
    version = serializers.CharField(source="row.version")
    marked_name = serializers.CharField(source="row.marked_name")
    marked_comment = serializers.CharField(source="row.marked_comment")
    created_by = SimpleAccountRecord(allow_null=True)
    created_at = EpochField(source="row.created_at")
    updated_by = SimpleAccountRecord(allow_null=True)
    updated_at = EpochField(source="row.updated_at")
    tool_published = serializers.BooleanField(default=False)
    environment_variables = serializers.SerializerMethodField()
    conversation_variables = serializers.ListField(source="row.conversation_variables", child=ObjectField())
    rag_pipeline_variables = serializers.SerializerMethodField()

    def get_environment_variables(self, shown: Authored) -> list[dict[str, Any]]:
        return environment.shown(shown.row)

    def get_rag_pipeline_variables(self, shown: Authored) -> list[dict[str, Any]]:
        """Apps are no pipelines."""
        return []


class VersionPage(Shape):
    items = WorkflowRecord(many=True)
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()


class SavedRecord(Shape):
    result = serializers.CharField()
    hash = serializers.CharField()
    updated_at = serializers.IntegerField()


class PublishedRecord(Shape):
    result = serializers.CharField()
    created_at = serializers.IntegerField()


class DraftVariableRecord(Shape):
    """A variable as inspectors list it."""

    id = serializers.UUIDField()
    type = serializers.ChoiceField(["conversation", "env", "sys", "node"])
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    selector = serializers.ListField(child=serializers.CharField())
    value_type = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    edited = serializers.BooleanField()
    visible = serializers.BooleanField()
    editable = serializers.BooleanField()
    is_truncated = serializers.BooleanField()
    full_content = ObjectField(allow_null=True)


class VariableList(Shape):
    items = DraftVariableRecord(many=True)


def declared(kind: str, variables: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a graph declares, as inspectors list it."""
    told = ("id", "name", "selector", "value_type", "value")
    return inspected(
        {"type": kind, "description": item.get("description") or "", **{name: item[name] for name in told}}
        for item in variables
    )


def inspected(variables: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    told = {"edited": False, "visible": True, "editable": True, "is_truncated": False, "full_content": None}
    return [{**told, **item} for item in variables]
