"""The reply of a run whose process is not this one, from its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.models import Account
from apps.models import EndUser, Run
from apps.modes import GRAPH_MODES
from workflows.models import WorkflowRun

from . import graph_plan
from .graph_facts import GraphFacts
from .opening import reply_of
from .request import Reply


def reply_of_row(run: Run) -> Reply:
    """``run`` comes with its message, where its mode has one."""
    return reply_of(run, getattr(run, "message", None), facts_of(run) if run.mode in GRAPH_MODES else None)


def facts_of(run: Run) -> GraphFacts | None:
    flow = WorkflowRun.objects.filter(pk=run.pk).defer("outputs", "graph").first()
    if flow is None:
        return None
    asker = asker_of_row(run)
    return GraphFacts(flow.workflow_id, flow.version, flow.inputs, flow.triggered_from, created_by=asker)


def asker_of_row(run: Run) -> Mapping[str, Any] | None:
    if run.account_id is not None:
        account = Account.objects.filter(pk=run.account_id).first()
        return None if account is None else graph_plan.account_record(account)
    user = EndUser.objects.filter(pk=run.end_user_id).first() if run.end_user_id else None
    return None if user is None else graph_plan.end_user_record(user)
