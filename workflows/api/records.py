"""Runs of graphs and who asked for them, as the tiers show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rest_framework import serializers

from accounts.models import Account
from difyproj.tiers.fields import EpochField
from difyproj.tiers.shapes import Shape
from workflows.models import WorkflowRun
from workflows.services import runs

ACCOUNT, END_USER = "account", "end_user"


@dataclass(frozen=True, slots=True)
class Seen:
    """A run with the account that asked, and the message and conversation that it answered."""

    row: WorkflowRun
    account: Account | None = None
    message_id: UUID | None = None
    conversation_id: UUID | None = None

    @property
    def role(self) -> str:
        return ACCOUNT if self.row.run.account_id is not None else END_USER


def seen(rows: Sequence[WorkflowRun], *, with_messages: bool = False) -> list[Seen]:
    """The runs with their people; a query for accounts if there are any, and one for messages if they are wanted."""
    accounts = runs.accounts_of(rows)
    messages = runs.messages_of(rows) if with_messages else {}
    return [_seen(row, accounts, messages.get(row.run_id, (None, None))) for row in rows]


def _seen(row: WorkflowRun, accounts: dict[UUID, Account], talk: tuple[UUID | None, UUID | None]) -> Seen:
    account_id = row.run.account_id
    return Seen(row, accounts.get(account_id) if account_id else None, *talk)


class SimpleAccountRecord(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField()


class SimpleEndUserRecord(Shape):
    id = serializers.UUIDField()
    type = serializers.CharField()
    is_anonymous = serializers.BooleanField()
    session_id = serializers.CharField()


class RunFacts(Shape):
    """What every list tells of a run."""

    id = serializers.UUIDField(source="row.run_id")
    version = serializers.CharField(source="row.version")
    status = serializers.CharField(source="row.run.status")
    elapsed_time = serializers.FloatField(source="row.run.elapsed_time")
    total_tokens = serializers.IntegerField(source="row.run.total_tokens")
    total_steps = serializers.IntegerField(source="row.total_steps")
    created_at = EpochField(source="row.created_at")
    finished_at = EpochField(source="row.run.finished_at", allow_null=True)
    exceptions_count = serializers.IntegerField(source="row.exceptions_count")


class LoggedRun(RunFacts):
    error = serializers.SerializerMethodField()
    triggered_from = serializers.CharField(source="row.triggered_from")

    def get_error(self, seen: Seen) -> str | None:
        return seen.row.run.error or None


class LogLine(Shape):
    """A line of the log. It has no row of its own: its id is the run's."""

    id = serializers.UUIDField(source="row.run_id")
    workflow_run = LoggedRun(source="*")
    details = serializers.SerializerMethodField()
    created_from = serializers.CharField(source="row.run.tier")
    created_by_role = serializers.CharField(source="role")
    created_by_account = SimpleAccountRecord(source="account", allow_null=True)
    created_by_end_user = SimpleEndUserRecord(source="row.run.end_user", allow_null=True)
    created_at = EpochField(source="row.created_at")

    def get_details(self, seen: Seen) -> dict[str, Any] | None:
        return None


class LogPage(Shape):
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = LogLine(many=True)  # type: ignore[assignment]
