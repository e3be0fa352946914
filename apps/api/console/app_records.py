"""Apps and their sites, as the Console API shows them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from accounts.models import Tag
from apps.models import ApiToken, App, Site
from apps.services import apps, icons
from apps.services.app_list import Listed
from difyproj.tiers.fields import EpochField

from ..records import Shape


class TagRecord(serializers.ModelSerializer[Tag]):
    class Meta:
        model = Tag
        fields = ("id", "name", "type")
        read_only_fields = fields


class PublishedWorkflow(Shape):
    """The published version of an app that is a graph."""

    id = serializers.UUIDField()
    created_by = serializers.UUIDField(source="created_by_id", allow_null=True)
    created_at = EpochField()
    updated_by = serializers.UUIDField(source="updated_by_id", allow_null=True)
    updated_at = EpochField()


class AppRecord(Shape):
    """What stands in a list. Drafts, triggers and keys of single permissions belong to kinds of apps that are not here yet."""

    id = serializers.UUIDField(source="app.id")
    name = serializers.CharField(source="app.name")
    mode = serializers.CharField(source="app.mode")
    description = serializers.CharField(source="app.description")
    icon_type = serializers.CharField(source="app.icon_type")
    icon = serializers.CharField(source="app.icon")
    icon_background = serializers.CharField(source="app.icon_background")
    icon_url = serializers.CharField(allow_null=True)
    max_active_requests = serializers.IntegerField(source="app.max_active_requests")
    model_config = serializers.SerializerMethodField()
    workflow = PublishedWorkflow(allow_null=True)
    use_icon_as_answer_icon = serializers.BooleanField(source="app.use_icon_as_answer_icon")
    created_by = serializers.UUIDField(source="app.created_by_id", allow_null=True)
    created_at = EpochField(source="app.created_at")
    updated_by = serializers.UUIDField(source="app.updated_by_id", allow_null=True)
    updated_at = EpochField(source="app.updated_at")
    tags = TagRecord(many=True)
    access_mode = serializers.CharField(source="app.access_mode")
    author_name = serializers.CharField()
    create_user_name = serializers.CharField(source="author_name")
    is_starred = serializers.BooleanField()
    has_draft_trigger = serializers.SerializerMethodField()
    permission_keys = serializers.SerializerMethodField()
    maintainer = serializers.SerializerMethodField()
    bound_agent_id = serializers.SerializerMethodField()

    def get_model_config(self, row: Listed) -> dict[str, Any] | None:
        """As much as a list needs; an app's own page has the whole."""
        whole = apps.shown_configuration(row.app)
        if whole is None:
            return None
        return {"model": whole.get("model", {}), "pre_prompt": whole.get("pre_prompt", ""), **_history(row.app)}

    def get_has_draft_trigger(self, row: Listed) -> bool:
        return False

    def get_permission_keys(self, row: Listed) -> list[str]:
        return []

    def get_maintainer(self, row: Listed) -> str | None:
        return None

    def get_bound_agent_id(self, row: Listed) -> str | None:
        return None


class AppPage(Shape):
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = AppRecord(many=True)  # type: ignore[assignment]


class SiteRecord(serializers.ModelSerializer[Site]):
    """``access_token`` is Dify's other name of ``code``. The last three are additions of this server."""

    app_id = serializers.UUIDField()
    access_token = serializers.CharField(source="code")
    icon_url = serializers.SerializerMethodField()
    app_base_url = serializers.SerializerMethodField()
    created_at = EpochField()
    updated_at = EpochField()
    access_mode = serializers.CharField(source="app.access_mode")

    class Meta:
        model = Site
        fields = (
            "app_id", "access_token", "code", "title", "icon_type", "icon", "icon_background", "icon_url", "description",
            "default_language", "chat_color_theme", "chat_color_theme_inverted", "customize_domain", "copyright",
            "privacy_policy", "input_placeholder", "custom_disclaimer", "customize_token_strategy", "prompt_public",
            "show_workflow_steps", "use_icon_as_answer_icon", "app_base_url", "created_at", "updated_at", "access_mode",
            "cors_origins", "frame_ancestors",
        )  # fmt: skip
        read_only_fields = fields

    def get_icon_url(self, row: Site) -> str | None:
        return icons.url(row.app.tenant_id, row)

    def get_app_base_url(self, row: Site) -> str:
        return str(settings.PUBLIC_URL)


class AppDetail(AppRecord):
    """An app's own page."""

    enable_site = serializers.BooleanField(source="app.enable_site")
    enable_api = serializers.BooleanField(source="app.enable_api")
    tracing = serializers.JSONField(source="app.tracing", allow_null=True)
    api_base_url = serializers.SerializerMethodField()
    deleted_tools = serializers.SerializerMethodField()
    site = SiteRecord(source="app.site", default=None, allow_null=True)

    def get_model_config(self, row: Listed) -> dict[str, Any] | None:
        whole = apps.shown_configuration(row.app)
        return None if whole is None else {**whole, **_history(row.app)}

    def get_api_base_url(self, row: Listed) -> str:
        return f"{settings.PUBLIC_URL}/v1"

    def get_deleted_tools(self, row: Listed) -> list[dict[str, str]]:
        """No tool that an app may name was ever taken away."""
        return []


class NewKeyRecord(serializers.ModelSerializer[ApiToken]):
    """The only answer that holds the key itself."""

    type = serializers.CharField(source="kind")
    token = serializers.SerializerMethodField()
    created_at = EpochField()
    last_used_at = EpochField(allow_null=True)

    class Meta:
        model = ApiToken
        fields = ("id", "type", "token", "created_at", "last_used_at")
        read_only_fields = fields

    def get_token(self, row: ApiToken) -> str:
        return str(self.context["token"])


class KeyRecord(NewKeyRecord):
    """``token`` shows how the key begins."""

    def get_token(self, row: ApiToken) -> str:
        return f"{row.prefix}{'*' * 18}"


class KeyList(Shape):
    data = KeyRecord(many=True)  # type: ignore[assignment]


class AppExport(Shape):
    data = serializers.CharField(help_text="The DSL file, YAML.")  # type: ignore[assignment]


def _history(app: App) -> dict[str, Any]:
    """Who made the configuration and changed it last; it lives and changes with its app."""
    created_at, updated_at = (EpochField().to_representation(moment) for moment in (app.created_at, app.updated_at))
    by = {"created_by": app.created_by_id, "updated_by": app.updated_by_id}
    return {**{name: key and str(key) for name, key in by.items()}, "created_at": created_at, "updated_at": updated_at}
