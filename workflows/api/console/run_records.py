"""The history of runs and the executions of their nodes, as the Console API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from accounts.models import Account
from apps.models import EndUser
from difyproj.tiers.fields import EpochField, ObjectField
from difyproj.tiers.shapes import Shape
from workflows.engine.previewed import preview
from workflows.models import NodeExecution
from workflows.services import runs

from ..records import ACCOUNT, END_USER, RunFacts, Seen, SimpleAccountRecord, SimpleEndUserRecord


class RunRecord(RunFacts):
    """A line of the history."""

    created_by_account = SimpleAccountRecord(source="account", allow_null=True)
    retry_index = serializers.IntegerField(default=0)


class ChatRunRecord(RunRecord):
    message_id = serializers.UUIDField(allow_null=True)
    conversation_id = serializers.UUIDField(allow_null=True)


class RunWindow(Shape):
    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = RunRecord(many=True)  # type: ignore[assignment]


class ChatRunWindow(RunWindow):
    data = ChatRunRecord(many=True)


class RunDetail(RunFacts):
    graph = serializers.SerializerMethodField()
    inputs = ObjectField(source="row.inputs")
    outputs = ObjectField(source="row.outputs", allow_null=True)
    error = serializers.SerializerMethodField()
    created_by_role = serializers.CharField(source="role")
    created_by_account = SimpleAccountRecord(source="account", allow_null=True)
    created_by_end_user = SimpleEndUserRecord(source="row.run.end_user", allow_null=True)

    def get_graph(self, seen: Seen) -> dict[str, Any]:
        return runs.graph_of(seen.row)

    def get_error(self, seen: Seen) -> str | None:
        return seen.row.run.error or None


class RunCountRecord(Shape):
    total = serializers.IntegerField()
    running = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    stopped = serializers.IntegerField()
    partial_succeeded = serializers.IntegerField()
    paused = serializers.IntegerField()


@dataclass(frozen=True, slots=True)
class Values:
    """What of an execution's values is shown."""

    inputs: dict[str, Any] | None
    process_data: dict[str, Any] | None
    outputs: dict[str, Any] | None
    inputs_truncated: bool = False
    process_data_truncated: bool = False
    outputs_truncated: bool = False


def in_part(row: NodeExecution) -> Values:
    """As streams show them: cut where they are too large for a list."""
    (inputs, inputs_cut), (process_data, data_cut), (outputs, outputs_cut) = (
        preview(value) for value in (row.inputs, row.process_data, row.outputs)
    )
    return Values(inputs, process_data, outputs, inputs_cut, data_cut, outputs_cut)


@dataclass(frozen=True, slots=True)
class Executed:
    """A node's execution with who asked for it; ``part`` is shown of its values, where that is not all."""

    row: NodeExecution
    account: Account | None = None
    end_user: EndUser | None = None
    part: Values | None = None

    @property
    def shown(self) -> Values:
        return self.part or Values(self.row.inputs, self.row.process_data, self.row.outputs)

    @property
    def role(self) -> str:
        return ACCOUNT if self.row.account_id is not None else END_USER


class ExecutionRecord(Shape):
    id = serializers.UUIDField(source="row.id")
    index = serializers.IntegerField(source="row.index")
    predecessor_node_id = serializers.SerializerMethodField()
    node_id = serializers.CharField(source="row.node_id")
    node_type = serializers.CharField(source="row.node_type")
    title = serializers.CharField(source="row.title")
    inputs = ObjectField(source="shown.inputs", allow_null=True)
    process_data = ObjectField(source="shown.process_data", allow_null=True)
    outputs = ObjectField(source="shown.outputs", allow_null=True)
    status = serializers.CharField(source="row.status")
    error = serializers.SerializerMethodField()
    elapsed_time = serializers.FloatField(source="row.elapsed_time")
    execution_metadata = serializers.SerializerMethodField()
    extras = ObjectField(default=dict)
    created_at = EpochField(source="row.created_at")
    created_by_role = serializers.CharField(source="role")
    created_by_account = SimpleAccountRecord(source="account", allow_null=True)
    created_by_end_user = SimpleEndUserRecord(source="end_user", allow_null=True)
    finished_at = EpochField(source="row.finished_at", allow_null=True)
    inputs_truncated = serializers.BooleanField(source="shown.inputs_truncated")
    outputs_truncated = serializers.BooleanField(source="shown.outputs_truncated")
    process_data_truncated = serializers.BooleanField(source="shown.process_data_truncated")

    def get_predecessor_node_id(self, executed: Executed) -> str | None:
        return executed.row.predecessor_node_id or None

    def get_error(self, executed: Executed) -> str | None:
        return executed.row.error or None

    def get_execution_metadata(self, executed: Executed) -> dict[str, Any]:
        return runs.shown_metadata(executed.row)


class ExecutionList(Shape):
    data = ExecutionRecord(many=True)  # type: ignore[assignment]


def executed(rows: Iterable[NodeExecution], asker: Seen) -> list[Executed]:
    """The trace of one run: whoever asked for it asked for all."""
    return [Executed(row, asker.account, asker.row.run.end_user, in_part(row)) for row in rows]


def alone(row: NodeExecution) -> Executed:
    """One execution, whole, with its asker: at most two queries."""
    account = Account.objects.filter(pk=row.account_id).first() if row.account_id else None
    end_user = EndUser.objects.filter(pk=row.end_user_id).first() if row.end_user_id else None
    return Executed(row, account, end_user)
