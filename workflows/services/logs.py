"""The log of a workflow app: its published runs, filtered and counted. Debug runs are left out."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from accounts.models import Account
from apps.models import App
from difyproj.infra.paging import Page, Totals, page_of
from difyproj.infra.searches import limited
from difyproj.kernel import ids, jsonio
from workflows.models import WorkflowRun

from .runs import LARGE

_totals: Totals[int] = Totals("workflow_log_totals", size=int)


@dataclass(frozen=True, slots=True)
class Filters:
    """Times are inclusive. ``account`` is an e-mail address, ``end_user`` what the integrator calls the person."""

    keyword: str = ""
    status: str = ""
    after: datetime | None = None
    before: datetime | None = None
    end_user: str = ""
    account: str = ""


def page(app: App, filters: Filters, *, page: int, limit: int) -> Page[WorkflowRun]:
    """One page, newest first, with the ``run`` and its end user; without their documents. Raises SearchTooSlow."""
    rows = WorkflowRun.objects.for_tenant(app.tenant_id).filter(app=app).logged()
    found = _narrowed(rows, filters).select_related("run__end_user").defer(*LARGE).order_by("-created_at", "-run_id")
    with limited() if filters.keyword else nullcontext():
        return page_of(found, page=page, limit=limit, total=partial(_total, (app.pk, filters)))


def _total(key: tuple[UUID, Filters], rows: QuerySet[WorkflowRun]) -> int:
    return _totals.get(key, rows.order_by().count)


def _narrowed(rows: QuerySet[WorkflowRun], filters: Filters) -> QuerySet[WorkflowRun]:
    wanted: dict[str, Any] = {}
    if filters.status:
        wanted["run__status"] = filters.status
    if filters.after is not None:
        wanted["created_at__gte"] = filters.after
    if filters.before is not None:
        wanted["created_at__lte"] = filters.before
    if filters.end_user:
        wanted["run__end_user__session_id"] = _plain(filters.end_user)
    if filters.account:
        accounts = Account.objects.filter(email__iexact=_plain(filters.account))
        wanted["run__account_id__in"] = accounts.values("pk")
    rows = rows.filter(**wanted)
    return _mentioning(rows, _plain(filters.keyword)) if filters.keyword else rows


def _mentioning(rows: QuerySet[WorkflowRun], keyword: str) -> QuerySet[WorkflowRun]:
    """In what was given or came out, or in the person's name; a run's own id finds it."""
    written = {"_inputs": Cast("inputs", TextField()), "_outputs": Cast("outputs", TextField())}
    met = Q(run__end_user__session_id__icontains=keyword)
    for text in _as_json(keyword):
        met |= Q(_inputs__icontains=text) | Q(_outputs__icontains=text)
    key = ids.parse(keyword)
    return rows.alias(**written).filter(met | Q(run_id=key) if key else met)


def _as_json(keyword: str) -> set[str]:
    """As the text of a JSON document may write it: some databases keep only ASCII."""
    return {jsonio.dumps_text(keyword)[1:-1], json.dumps(keyword)[1:-1]}


def _plain(text: str) -> str:
    """PostgreSQL takes no NUL, not even to look for it."""
    return text.replace("\0", "")
