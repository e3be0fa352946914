"""What an app's published use adds up to, day by day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.models import App
from apps.services import logs, statistics
from apps.services.statistics import Day, Span
from difyproj.tiers.console import ConsoleViewSet
from difyproj.tiers.fields import ObjectField
from workflows.services import statistics as runs


class SpanFields(serializers.Serializer[Any]):
    """``YYYY-MM-DD HH:MM`` in the account's time zone; the end itself does not belong to the span."""

    start = serializers.CharField(required=False, default="", allow_blank=True, max_length=32)
    end = serializers.CharField(required=False, default="", allow_blank=True, max_length=32)


class DaysRecord(serializers.Serializer[Any]):
    data = serializers.ListField(child=ObjectField(help_text="`date`, and what is counted."))  # type: ignore[assignment]


class Statistic(ConsoleViewSet):
    """One figure; ``measure`` counts it."""

    tag = "Statistics"
    needs = {"list": "app.view"}
    measure: Callable[[App, Span], list[Day]]

    def list(self, request: Request, app_id: str) -> Response:
        app, fields, zone = self.app(app_id), self.query(SpanFields), self.account.timezone
        start, end = (logs.parse_time(fields[name], zone, field=name) for name in ("start", "end"))
        return Response({"data": type(self).measure(app, Span(zone, start, end))})


# (path, operation id, what counts it)
FIGURES: list[tuple[str, str, Callable[[App, Span], list[Day]]]] = [
    ("statistics/daily-messages", "getDailyMessages", statistics.daily_messages),
    ("statistics/daily-conversations", "getDailyConversations", statistics.daily_conversations),
    ("statistics/daily-end-users", "getDailyEndUsers", statistics.daily_end_users),
    ("statistics/token-costs", "getTokenCosts", statistics.token_costs),
    ("statistics/average-session-interactions", "getAverageSessionInteractions", statistics.average_session_interactions),
    ("statistics/user-satisfaction-rate", "getUserSatisfactionRate", statistics.user_satisfaction_rate),
    ("statistics/average-response-time", "getAverageResponseTime", statistics.average_response_time),
    ("statistics/tokens-per-second", "getTokensPerSecond", statistics.tokens_per_second),
    ("workflow/statistics/daily-conversations", "getDailyRuns", runs.daily_runs),
    ("workflow/statistics/daily-terminals", "getDailyTerminals", runs.daily_terminals),
    ("workflow/statistics/token-costs", "getWorkflowTokenCosts", runs.token_costs),
    ("workflow/statistics/average-app-interactions", "getAverageAppInteractions", runs.average_interactions),
]


def _route(name: str, operation_id: str, measure: Callable[[App, Span], list[Day]]) -> URLPattern:
    view: Any = type(f"{operation_id}Statistic", (Statistic,), {"measure": staticmethod(measure)})
    view.list = extend_schema(operation_id=operation_id, parameters=[SpanFields], responses=DaysRecord)(
        lambda self, request, app_id: Statistic.list(self, request, app_id)
    )
    return path(f"apps/<str:app_id>/{name}", view.as_view({"get": "list"}))


routes = [_route(*figure) for figure in FIGURES]
