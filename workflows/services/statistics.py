"""Statistics of a workflow app: what its published runs add up to, day by day. Debug runs do not count."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce

from apps.models import App
from difyproj.infra.days import Day, Span, days
from workflows.models import WorkflowRun

PEOPLE = Count(Coalesce("run__end_user_id", "run__account_id"), distinct=True)


def _by_day(app: App, span: Span) -> QuerySet[Any, Day]:
    return span.by_day(span.within(WorkflowRun.objects.for_tenant(app.tenant_id).filter(app=app).logged()))


def daily_runs(app: App, span: Span) -> list[Day]:
    return [{"date": date, "runs": row["runs"]} for date, row in days(_by_day(app, span).annotate(runs=Count("run_id")))]


def daily_terminals(app: App, span: Span) -> list[Day]:
    """Different people who asked."""
    return [{"date": date, "terminal_count": row["people"]} for date, row in days(_by_day(app, span).annotate(people=PEOPLE))]


def token_costs(app: App, span: Span) -> list[Day]:
    counted = _by_day(app, span).annotate(tokens=Sum("run__total_tokens"))
    return [{"date": date, "token_count": row["tokens"] or 0} for date, row in days(counted)]


def average_interactions(app: App, span: Span) -> list[Day]:
    """Runs per person."""
    counted = _by_day(app, span).annotate(runs=Count("run_id"), people=PEOPLE)
    return [{"date": date, "interactions": round(row["runs"] / max(1, row["people"]), 2)} for date, row in days(counted)]
