"""API tokens: shown once when they are made, known by their first characters ever after."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.models import ApiToken
from apps.services import tokens
from difyproj.tiers.admin import ServiceAdmin, adopt
from difyproj.tiers.admin_records import BY_APP, BY_TENANT

from .forms import NewTokenForm

ONCE = 'This is the token. Copy it now, nobody can show it again: <code class="token">{}</code>'


@admin.register(ApiToken)
class ApiTokenAdmin(ServiceAdmin):
    empty_text = "A program needs a token to talk to an app. A new one is shown once; afterwards only its first characters."
    list_display = ("shown_prefix", "name", "kind", "app", "tenant", "is_active", "last_used_at", "created_at")
    list_filter = (BY_TENANT, BY_APP, ("kind", ChoicesDropdownFilter), "is_active")
    list_filter_submit = True
    search_fields = ("name", "prefix", "app__name")
    search_help_text = "Name, first characters or app"
    autocomplete_fields = ("app", "tenant")
    actions = ("switch_on", "switch_off")
    fields = ("shown_prefix", "name", "kind", "app", "tenant", "is_active", "last_used_at", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        rows: QuerySet[ApiToken] = super().get_queryset(request)
        return rows.select_related("app", "tenant")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm[ApiToken]]:
        return super().get_form(request, obj, change, **(kwargs if change else {**kwargs, "form": NewTokenForm}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("kind", "app", "tenant", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return tuple(name for name in self.fields if name != "is_active") if obj else ()

    @display(description="Token", ordering="prefix")
    def shown_prefix(self, obj: ApiToken) -> str:
        return f"{obj.prefix}…"

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        if change:
            tokens.set_active(obj, is_active=obj.is_active)
            return
        row, raw = tokens.create(tenant=obj.tenant, app=obj.app, kind=obj.kind, name=obj.name)
        adopt(obj, row)
        obj.prefix = row.prefix
        self.message_user(request, format_html(ONCE, raw), messages.WARNING)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("apps.delete_apitoken")

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        tokens.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for row in queryset:
            tokens.delete(row)

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        self._switch(request, chosen, is_active=True)

    @admin.action(description="Switch off: refused from the next request on", permissions=["change"])
    def switch_off(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        self._switch(request, chosen, is_active=False)

    def _switch(self, request: HttpRequest, chosen: QuerySet[ApiToken], *, is_active: bool) -> None:
        rows = list(chosen)
        for row in rows:
            tokens.set_active(row, is_active=is_active)
        self.message_user(request, f"Switched {'on' if is_active else 'off'}: {len(rows)}.", messages.SUCCESS)
