"""The admin's look and its sidebar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

# (title, icon, app and model), by group.
PAGES = {
    "Tenants": [
        ("Tenants", "domain", "accounts.tenant"),
        ("Accounts", "person", "accounts.account"),
        ("Memberships", "group", "accounts.membership"),
        ("Model credentials", "key", "accounts.modelcredential"),
        ("Model settings", "tune", "accounts.modelsetting"),
        ("Default models", "star", "accounts.defaultmodel"),
        ("Tags", "label", "accounts.tag"),
        ("Tag bindings", "sell", "accounts.tagbinding"),
    ],
    "Signing in": [
        ("Sessions", "devices", "accounts.session"),
        ("Second factors", "phonelink_lock", "mfa.authenticator"),
        ("Sign-in providers", "login", "socialaccount.socialaccount"),
        ("Codes and links", "mark_email_read", "accounts.challenge"),
    ],
    "Apps": [
        ("Apps", "smart_toy", "apps.app"),
        ("Sites", "web", "apps.site"),
        ("API tokens", "vpn_key", "apps.apitoken"),
    ],
    "Knowledge": [
        ("Datasets", "library_books", "datasets.dataset"),
        ("Documents", "description", "datasets.document"),
        ("Segments", "segment", "datasets.segment"),
        ("Questions", "quiz", "datasets.datasetquery"),
        ("External knowledge APIs", "cloud_sync", "datasets.externalknowledgeapi"),
    ],
    "Conversations": [
        ("Conversations", "forum", "apps.conversation"),
        ("Messages", "chat", "apps.message"),
        ("Feedback", "thumb_up", "apps.feedback"),
        ("End users", "face", "apps.enduser"),
        ("Upload files", "attach_file", "apps.uploadfile"),
    ],
    "Workflows": [
        ("Graphs", "account_tree", "workflows.workflow"),
        ("Runs of graphs", "timeline", "workflows.workflowrun"),
        ("Forms", "how_to_reg", "workflows.humaninputform"),
        ("Triggers", "bolt", "workflows.trigger"),
        ("Callback deliveries", "outbox", "workflows.callbackdelivery"),
        ("Conversation variables", "data_object", "workflows.conversationvariable"),
    ],
    "Operations": [
        ("Runs", "play_circle", "apps.run"),
        ("Jobs", "task", "infra.job"),
        ("Processes", "memory", "infra.process"),
        ("Audit entries", "history", "infra.auditentry"),
        ("Idempotency keys", "repeat_one", "infra.idempotencykey"),
        ("Cache versions", "cached", "infra.cacheversion"),
        ("Groups", "admin_panel_settings", "auth.group"),
    ],
}


def page(title: str, icon: str, model: str) -> dict[str, Any]:
    """A line of the sidebar, for those who may see the model's rows."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": may_view(app, name),
    }


def may_view(app: str, name: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(f"{app}.view_{name}")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "difyproj",
    "SITE_HEADER": "difyproj",
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("difyproj/icon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "LOGIN": {"form": "accounts.api.signin.admin_form.LoginForm"},
    "STYLES": [lambda request: static("difyproj/admin.css"), lambda request: static("difyproj/knowledge.css")],
    "SIDEBAR": {
        "navigation": [
            {"title": group, "separator": True, "items": [page(*row) for row in rows]} for group, rows in PAGES.items()
        ]
    },
}
