"""What this instance and its workspaces can do, as the contract's objects tell it: from settings and rows."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings

from accounts.models import Membership, Tenant

# Backends that show letters to the operator only, or to nobody.
UNSENT: Final = ("console.EmailBackend", "dummy.EmailBackend", "filebased.EmailBackend")
MAX_PLUGIN_PACKAGE_SIZE: Final = 15_728_640
UNLIMITED: Final = 0


def mail_is_set_up() -> bool:
    """Whether letters reach people."""
    return not settings.EMAIL_BACKEND.endswith(UNSENT)


def system() -> dict[str, Any]:
    """SystemFeatures (contract: web_api 3.2), the same for the Console and the Web API.

    Anybody may read it, so it does not tell how many workspaces there are.
    """
    mail = mail_is_set_up()
    return {
        "branding": {
            "enabled": False, "application_title": "", "login_page_logo": "", "workspace_logo": "", "favicon": "",
        },
        "enable_app_deploy": False,
        "enable_change_email": mail,
        "enable_collaboration_mode": False,
        "enable_creators_platform": False,
        "enable_email_code_login": mail,
        "enable_email_password_login": True,
        "enable_explore_banner": False,
        "enable_marketplace": False,
        "enable_social_oauth_login": bool(settings.SIGN_IN_PROVIDERS),
        "enable_trial_app": False,
        "is_allow_create_workspace": settings.ALLOW_CREATE_WORKSPACE,
        "is_allow_register": settings.ALLOW_REGISTER,
        "is_email_setup": mail,
        "license": {
            "status": "none", "expired_at": "",
            "workspaces": {"enabled": False, "size": 0, "limit": UNLIMITED},
        },
        "max_plugin_package_size": MAX_PLUGIN_PACKAGE_SIZE,
        "plugin_installation_permission": {"plugin_installation_scope": "none", "restrict_to_marketplace_only": False},
        "plugin_manager": {"enabled": False},
        "sso_enforced_for_signin": False,
        "sso_enforced_for_signin_protocol": "",
        "webapp_auth": {
            "enabled": True, "allow_sso": False, "allow_email_code_login": mail, "allow_email_password_login": True,
            "sso_config": {"protocol": ""},
        },
    }  # fmt: skip


def version() -> dict[str, Any]:
    return {
        "version": settings.APP_VERSION,
        "release_date": "",
        "release_notes": "",
        "can_auto_update": False,
        "features": {"can_replace_logo": True, "model_load_balancing_enabled": True},
    }


def of_tenant(tenant: Tenant) -> dict[str, Any]:
    """A workspace's features. Nothing is sold here: no quota, so every limit is 0, which clients read as none."""
    members = Membership.objects.for_tenant(tenant).count()
    return {
        "billing": {"enabled": False, "subscription": {"plan": tenant.plan, "interval": ""}},
        "education": {"enabled": False, "activated": False},
        "members": used(members),
        "vector_space": vector_space(),
        "knowledge_rate_limit": UNLIMITED,
        "documents_upload_quota": used(0),
        "docs_processing": "standard",
        "can_replace_logo": True,
        "model_load_balancing_enabled": True,
        "dataset_operator_enabled": True,
        "webapp_copyright_enabled": True,
        "workspace_members": {"enabled": False, **used(members)},
        "is_allow_transfer_workspace": True,
        "knowledge_pipeline": {"publish_enabled": False},
    }


def vector_space() -> dict[str, int]:
    return used(0)


def used(size: int) -> dict[str, int]:
    return {"size": size, "limit": UNLIMITED}
