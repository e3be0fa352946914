"""What pages of read rows share: rows found by any id that names them, filters that scale, values that read well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.admin import ModelAdmin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter

from difyproj.kernel import ids
from difyproj.kernel.principal import Tier
from difyproj.tiers.admin import NOTHING, ReadOnlyAdmin

BY_TENANT = ("tenant", AutocompleteSelectFilter)
BY_APP = ("app", AutocompleteSelectFilter)


class TierFilter(DropdownFilter):
    """Where it was asked."""

    title, parameter_name = "tier", "tier"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(tier.value, tier.value) for tier in Tier]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(tier=self.value()) if self.value() else queryset


class Record(ReadOnlyAdmin):
    """Rows of the main job. ``id_fields`` are the columns in which a searched id is looked up, instead of reading texts."""

    id_fields: ClassVar[tuple[str, ...]] = ("pk",)
    related: ClassVar[tuple[str, ...]] = ("tenant", "app", "end_user")
    list_filter_submit = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related(*self.related)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        key = ids.parse(search_term.strip())
        if key is None:
            return super().get_search_results(request, queryset, search_term)
        named = Q()
        for field in self.id_fields:
            named |= Q(**{field: key})
        return queryset.filter(named), False


def list_address(model: type[Model], **filters: object) -> str:
    """The address of a model's list, narrowed by ``filters``."""
    names = {name: str(value) for name, value in filters.items()}
    return f"{reverse(f'admin:{model._meta.app_label}_{model._meta.model_name}_changelist')}?{urlencode(names)}"


def address(row: Model) -> str:
    """The address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def link(row: Model | None, text: str = "") -> str:
    """The row's name, leading to its page."""
    return NOTHING if row is None else format_html('<a href="{}" class="text-link">{}</a>', address(row), text or str(row))


def links(targets: Iterable[tuple[str, str]]) -> SafeString:
    """Addresses and their names, side by side."""
    return format_html_join(" · ", '<a href="{}" class="text-link">{}</a>', targets)


def short(value: str, length: int) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(value[: 2 * length].split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def seconds(value: float) -> str:
    return f"{value:.2f}\N{NO-BREAK SPACE}s"
