"""What tenants sort their apps by, and what they decided about single models: to look at."""

from __future__ import annotations

from django.contrib import admin

from accounts.models import ModelSetting, Tag, TagBinding
from difyproj.tiers.admin import ReadOnlyAdmin


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    list_display = ("name", "type", "tenant", "created_by", "created_at")
    list_filter = ("type",)
    search_fields = ("name", "tenant__name")
    list_select_related = ("tenant", "created_by")


@admin.register(TagBinding)
class TagBindingAdmin(ReadOnlyAdmin):
    list_display = ("tag", "target_id", "tenant", "created_at")
    search_fields = ("tag__name",)
    list_select_related = ("tag", "tenant")


@admin.register(ModelSetting)
class ModelSettingAdmin(ReadOnlyAdmin):
    list_display = ("tenant", "provider", "model_type", "model", "enabled", "load_balancing_enabled")
    list_filter = ("provider", "enabled")
    search_fields = ("model", "tenant__name")
    list_select_related = ("tenant",)
