"""What the builders of apps send: one serializer per body or query."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from rest_framework import serializers
from rest_framework.fields import empty

from apps.models import AccessMode
from apps.models.app import AppMode
from apps.services import app_list

from ..requests import Fields

# Kinds of apps that clients may filter by although this server makes none of them.
FOREIGN_MODES: Final = ("channel", "agent")
ICON_TYPES: Final = ("emoji", "image", "link")
LONGEST_DESCRIPTION: Final = 400


class IdsField(serializers.CharField):
    """Ids separated by commas."""

    default_error_messages = {"not_ids": "Expected UUIDs separated by commas."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "default": (), "allow_blank": True, "max_length": 4000, **options})

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            return [UUID(part.strip()) for part in text.split(",") if part.strip()]
        except ValueError:
            self.fail("not_ids")


class NameField(serializers.CharField):
    default_error_messages = {"required": "Application name is required.", "blank": "Application name is required."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 255, **options})


class OptionalText(serializers.CharField):
    """A text that may be left out, null (then it is left as it is) or empty."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_blank": True, "allow_null": True, **options})


class OptionalFlag(serializers.BooleanField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, **options})


class OriginField(serializers.CharField):
    """``https://host`` or ``http://host:port``, nothing behind it."""

    default_error_messages = {"not_origin": "Expected an origin like https://example.com."}

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data).rstrip("/")
        try:
            parts = urlsplit(text)
            is_origin = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_origin = False
        if not is_origin or not text.isascii() or text != f"{parts.scheme}://{parts.netloc}" or set(text) & set(" ;,'\"@*"):
            self.fail("not_origin")
        return text.lower()


class OriginsField(serializers.ListField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": OriginField(max_length=255), "required": False, "max_length": 100, **options})


class PageFields(Fields):
    page = serializers.IntegerField(required=False, default=1, min_value=1, max_value=99_999)
    limit = serializers.IntegerField(required=False, default=20, min_value=1, max_value=100)


class AppListFields(PageFields):
    """``search`` is an older name of ``name``."""

    mode = serializers.ChoiceField([app_list.ALL, *AppMode.values, *FOREIGN_MODES], required=False, default=app_list.ALL)
    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=255)
    search = serializers.CharField(required=False, default="", allow_blank=True, max_length=255)
    tag_ids = IdsField()
    creator_ids = IdsField()
    is_created_by_me = OptionalFlag(default=False)
    sort_by = serializers.ChoiceField(sorted(app_list.SORTS), required=False, default="last_modified")


class ChangeFields(Fields):
    """A null is as good as nothing: what it stands for is left as it is."""

    def run_validation(self, data: Any = empty) -> Any:
        return {name: value for name, value in super().run_validation(data).items() if value is not None}


class LooksFields(ChangeFields):
    """What an app shows of itself."""

    description = OptionalText(max_length=LONGEST_DESCRIPTION)
    icon_type = serializers.ChoiceField(ICON_TYPES, required=False, allow_null=True)
    icon = OptionalText(max_length=255)
    icon_background = OptionalText(max_length=32)


class NewAppFields(LooksFields):
    name = NameField()
    mode = serializers.ChoiceField(AppMode.values)


class AppFields(LooksFields):
    name = NameField()
    use_icon_as_answer_icon = OptionalFlag()
    max_active_requests = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=1_000_000)


class CopyFields(LooksFields):
    name = NameField(required=False, allow_null=True)


class RenameFields(Fields):
    name = NameField()


class IconFields(ChangeFields):
    icon_type = serializers.ChoiceField(ICON_TYPES, required=False, allow_null=True)
    icon = serializers.CharField(max_length=255)
    icon_background = OptionalText(max_length=32)


class SiteSwitchFields(Fields):
    enable_site = serializers.BooleanField()


class ApiSwitchFields(Fields):
    enable_api = serializers.BooleanField()


class ExportFields(Fields):
    include_secret = serializers.BooleanField(required=False, default=False)
    workflow_id = serializers.CharField(required=False, allow_blank=True, allow_null=True)


class SiteFields(LooksFields):
    """``access_mode``, ``cors_origins`` and ``frame_ancestors`` are additions of this server."""

    title = OptionalText(max_length=255)
    description = OptionalText(max_length=2000)
    default_language = serializers.RegexField(r"\A[A-Za-z0-9-]{2,16}\Z", required=False, allow_null=True)
    chat_color_theme = OptionalText(max_length=32)
    chat_color_theme_inverted = OptionalFlag()
    customize_domain = OptionalText(max_length=255)
    copyright = OptionalText(max_length=255)
    privacy_policy = OptionalText(max_length=500)
    input_placeholder = OptionalText(max_length=255)
    custom_disclaimer = OptionalText(max_length=512)
    customize_token_strategy = serializers.ChoiceField(["must", "allow", "not_allow"], required=False, allow_null=True)
    prompt_public = OptionalFlag()
    show_workflow_steps = OptionalFlag()
    use_icon_as_answer_icon = OptionalFlag()
    access_mode = serializers.ChoiceField(AccessMode.values, required=False, allow_null=True)
    cors_origins = OriginsField()
    frame_ancestors = OriginsField()
