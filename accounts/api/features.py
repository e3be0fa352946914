"""SystemFeatures, the same object on both tiers (contract: web_api 3.2)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class BrandingRecord(serializers.Serializer[Any]):
    application_title = serializers.CharField()
    enabled = serializers.BooleanField()
    favicon = serializers.CharField()
    login_page_logo = serializers.CharField()
    workspace_logo = serializers.CharField()


class QuotaRecord(serializers.Serializer[Any]):
    size = serializers.IntegerField()
    limit = serializers.IntegerField(help_text="0 is no limit.")


class SwitchedQuotaRecord(QuotaRecord):
    enabled = serializers.BooleanField()


class LicenseRecord(serializers.Serializer[Any]):
    status = serializers.CharField()
    expired_at = serializers.CharField()
    workspaces = SwitchedQuotaRecord()


class PluginInstallationRecord(serializers.Serializer[Any]):
    plugin_installation_scope = serializers.CharField()
    restrict_to_marketplace_only = serializers.BooleanField()


class SwitchRecord(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()


class ProtocolRecord(serializers.Serializer[Any]):
    protocol = serializers.CharField()


class WebAppAuthRecord(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()
    allow_sso = serializers.BooleanField()
    allow_email_code_login = serializers.BooleanField()
    allow_email_password_login = serializers.BooleanField()
    sso_config = ProtocolRecord()


class SystemFeaturesRecord(serializers.Serializer[Any]):
    branding = BrandingRecord()
    enable_app_deploy = serializers.BooleanField()
    enable_change_email = serializers.BooleanField()
    enable_collaboration_mode = serializers.BooleanField()
    enable_creators_platform = serializers.BooleanField()
    enable_email_code_login = serializers.BooleanField()
    enable_email_password_login = serializers.BooleanField()
    enable_explore_banner = serializers.BooleanField()
    enable_marketplace = serializers.BooleanField()
    enable_social_oauth_login = serializers.BooleanField()
    enable_trial_app = serializers.BooleanField()
    is_allow_create_workspace = serializers.BooleanField()
    is_allow_register = serializers.BooleanField()
    is_email_setup = serializers.BooleanField()
    license = LicenseRecord()
    max_plugin_package_size = serializers.IntegerField()
    plugin_installation_permission = PluginInstallationRecord()
    plugin_manager = SwitchRecord()
    sso_enforced_for_signin = serializers.BooleanField()
    sso_enforced_for_signin_protocol = serializers.CharField()
    webapp_auth = WebAppAuthRecord()
