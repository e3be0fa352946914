"""Model credentials, which are written and never shown, and default models."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.models import DefaultModel, ModelCredential
from accounts.services import credentials, default_models
from difyproj.tiers.admin import ServiceAdmin, adopt

from .forms import CredentialForm, DefaultModelForm, NewCredentialForm
from .people import acting


@admin.register(ModelCredential)
class CredentialAdmin(ServiceAdmin):
    list_display = ("provider", "name", "tenant", "model", "enabled", "created_at")
    list_filter = ("provider", "enabled")
    search_fields = ("provider", "name", "model")
    list_select_related = ("tenant",)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[ModelCredential]]:
        return super().get_form(request, obj, change, **{**kwargs, "form": CredentialForm if change else NewCredentialForm})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "provider", "name", "model_type", "model", "secrets")
        return ("tenant", "provider", "model_type", "model", "name", "enabled", "stored", "secrets")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("tenant", "provider", "model_type", "model", "stored") if obj else ()

    @admin.display(description="Stored values")
    def stored(self, obj: ModelCredential) -> str:
        return ", ".join(f"{name}: {value}" for name, value in credentials.masked(obj).items())

    def save_model(self, request: HttpRequest, obj: ModelCredential, form: Any, change: bool) -> None:
        values = form.cleaned_data["secrets"]
        if change:
            credentials.update(credential=obj, name=obj.name, enabled=obj.enabled, values=values)
            return
        row = credentials.create(
            tenant=obj.tenant,
            provider=obj.provider,
            name=obj.name,
            model_type=obj.model_type,
            model=obj.model,
            values=values,
            created_by=acting(request),
        )
        adopt(obj, row)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("accounts.delete_modelcredential")

    def delete_model(self, request: HttpRequest, obj: ModelCredential) -> None:
        credentials.delete(credential=obj)


@admin.register(DefaultModel)
class DefaultModelAdmin(ServiceAdmin):
    list_display = ("tenant", "model_type", "provider", "model")
    list_filter = ("model_type",)
    list_select_related = ("tenant",)
    form = DefaultModelForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("tenant", "model_type") if obj else ()

    def save_model(self, request: HttpRequest, obj: DefaultModel, form: Any, change: bool) -> None:
        row = default_models.update(tenant=obj.tenant, model_type=obj.model_type, provider=obj.provider, model=obj.model)
        adopt(obj, row)
