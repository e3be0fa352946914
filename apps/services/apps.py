"""Apps: created, changed, and their configuration as parsed once per version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from accounts.models import Account, Tenant
from apps import config as app_config
from apps.config import AppConfig
from apps.models import App, AppStatus, Site
from difyproj.kernel import ids
from difyproj.kernel.errors import AppUnavailable, InvalidParam, NotFound
from difyproj.kernel.principal import Principal
from workflows.services import dataset_uses

from . import annotation_reply, app_defaults, app_list, graph_apps

LOOKS: Final = ("icon_type", "icon", "icon_background")
KEPT_BY_COPIES: Final = (*LOOKS, "name", "description", "use_icon_as_answer_icon", "max_active_requests", "access_mode")


class AppNotFound(NotFound):
    code = "app_not_found"
    default_message = "App not found."


@transaction.atomic
def create(
    *,
    tenant: Tenant,
    name: str,
    mode: str,
    config: Mapping[str, Any] | None = None,
    created_by_id: UUID | None = None,
    **settings: Any,
) -> App:
    """An app and its site; without ``config`` it starts with its mode's. Raises InvalidParam for one that is not valid."""
    chosen = app_defaults.config(tenant.pk, mode) if config is None else config
    app = App.objects.create(
        tenant=tenant,
        name=name,
        mode=mode,
        config=app_config.dump(app_config.parse(chosen)),
        created_by_id=created_by_id,
        updated_by_id=created_by_id,
        **settings,
    )
    looks = {field: getattr(app, field) for field in LOOKS}
    dataset_uses.keep(app, app_config.parse(app.config).dataset_ids, by=created_by_id)
    Site.objects.create(app=app, title=name, description=app.description, **looks)
    return app


def copy(app: App, *, by: UUID, **settings: Any) -> App:
    """An app with the same configuration and looks, under ``settings``; its keys, conversations and site stay its own.

    Raises AppUnavailable for a suspended one: its copy would run.
    """
    demand_normal(app)
    kept = {field: getattr(app, field) for field in KEPT_BY_COPIES}
    return create(
        tenant=app.tenant,
        mode=app.mode,
        config=app.config,
        created_by_id=by,
        **{**kept, **settings},
    )


@transaction.atomic
def update(app: App, **changes: Any) -> App:
    """Save ``changes`` and make every process see them."""
    if "config" in changes:
        changes["config"] = app_config.dump(app_config.parse(changes["config"]))
    for name, value in changes.items():
        setattr(app, name, value)
    app.save(update_fields=[*changes, "updated_at"])
    if "config" in changes and app.mode not in app_defaults.GRAPH_MODES:
        dataset_uses.keep(app, app_config.parse(app.config).dataset_ids, by=changes.get("updated_by_id"))
    for derived in ("_parsed_config", "_parameters"):
        app.__dict__.pop(derived, None)
    return app


def configure(app: App, config: Any, *, by: UUID) -> App:
    """Save the configuration. Raises InvalidParam for one that is not valid, AppUnavailable for apps that are graphs."""
    if app.mode in app_defaults.GRAPH_MODES:
        raise AppUnavailable("The app's configuration is a workflow.")
    if not isinstance(config, Mapping):
        raise InvalidParam("The configuration must be an object.", params="model_config")
    return update(app, config=config, updated_by_id=by)


def get(principal: Principal, app_id: UUID | str) -> App:
    """An app that the principal may see, with its tenant. Raises AppNotFound."""
    key = ids.parse(app_id)
    found = App.objects.visible_to(principal).select_related("tenant").filter(pk=key).first() if key else None
    if found is None:
        raise AppNotFound
    return found


def demand_normal(app: App) -> None:
    """Raises AppUnavailable for an app that an operator suspended."""
    if app.status != AppStatus.NORMAL:
        raise AppUnavailable("The app is suspended.")


def configuration(app: App) -> AppConfig:
    """The app's configuration, parsed once for as long as the row is kept; of graphs that of the published version.

    Raises AppUnavailable when it is broken.
    """
    if app.mode in app_defaults.GRAPH_MODES:
        return graph_apps.configuration(app)
    parsed: AppConfig | None = app.__dict__.get("_parsed_config")
    if parsed is None:
        try:
            parsed = app_config.parse(app.config)
        except InvalidParam as error:
            raise AppUnavailable(f"App unavailable, its configuration is broken: {error.message}") from error
        app.__dict__["_parsed_config"] = parsed
    return parsed


def shown_configuration(app: App) -> dict[str, Any] | None:
    """The configuration as builders see it, every default written out; as it lies there when it is broken, None for graphs."""
    if app.mode in app_defaults.GRAPH_MODES:
        return None
    try:
        return app_config.dump(configuration(app), complete=True)
    except AppUnavailable:
        return dict(app.config) if isinstance(app.config, Mapping) else {}


def info(app: App) -> dict[str, Any]:
    """The body of GET /info."""
    return {
        "name": app.name,
        "description": app.description,
        "tags": [tag.name for tag in app_list.tags_of(app.tenant_id, [app.pk]).get(app.pk, ())],
        "mode": app.mode,
        "author_name": _author(app),
    }


def _author(app: App) -> str:
    if app.created_by_id is None:
        return ""
    return Account.objects.filter(pk=app.created_by_id).values_list("name", flat=True).first() or ""


def parameters(app: App) -> dict[str, Any]:
    """The body of GET /parameters, made once for as long as the row is kept. Raises AppUnavailable."""
    replies = {"annotation_reply": {"enabled": annotation_reply.of_app(app) is not None}}
    if app.mode in app_defaults.GRAPH_MODES:
        return {**app_config.parameters(configuration(app), system_limits()), **replies}
    made: dict[str, Any] | None = app.__dict__.get("_parameters")
    if made is None:
        made = app.__dict__["_parameters"] = app_config.parameters(configuration(app), system_limits())
    return {**made, **replies}


def system_limits() -> dict[str, int]:
    """The instance's upload limits, in megabytes and files, as ``system_parameters`` names them."""
    return {
        "image_file_size_limit": settings.UPLOAD_IMAGE_FILE_SIZE_LIMIT,
        "video_file_size_limit": settings.UPLOAD_VIDEO_FILE_SIZE_LIMIT,
        "audio_file_size_limit": settings.UPLOAD_AUDIO_FILE_SIZE_LIMIT,
        "file_size_limit": settings.UPLOAD_FILE_SIZE_LIMIT,
        "workflow_file_upload_limit": settings.WORKFLOW_FILE_UPLOAD_LIMIT,
    }


def model_name(app: App) -> str:
    """What the app is called where a model is expected."""
    return slugify(app.name) or f"app-{app.mode}"


def fingerprint(app: App) -> str:
    """A short text that is another one after each change of the app."""
    return f"fp_{hashlib.sha256(f'{app.pk} {app.updated_at.timestamp()}'.encode()).hexdigest()[:10]}"


def tool_icons(app: App) -> dict[str, Any]:
    """Icons of the tools that the app's agent may use, by tool name. Built-in tools without an icon are left out."""
    if app.mode in app_defaults.GRAPH_MODES:
        return {}
    tools = configuration(app).agent_mode.tools
    return {str(tool["tool_name"]): tool["icon"] for tool in tools if tool.get("tool_name") and tool.get("icon")}
