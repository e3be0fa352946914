"""The try-out workspace of a fresh instance: an owner, a demo app per mode with its token, providers from the environment.

Development only. What was made, tokens and the one-time password included, is kept in ``var/bootstrap.json`` (mode 600).
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from accounts.models import Account, ModelCredential, Tenant
from accounts.services import accounts, credentials, default_models, tenants
from apps.models import App, Site
from apps.models.token import TokenKind
from difyproj.kernel import jsonio
from difyproj.kernel.errors import Conflict
from difyproj.model_runtime.base import ModelType
from difyproj.model_runtime.providers import builtin

from . import apps, tokens, trial_flows

OWNER_EMAIL: Final = "owner@example.com"
DEMO_MODEL: Final = ("demo", "demo")
CREDENTIAL_NAME: Final = "environment"

DEMO_APPS: Final[Mapping[str, Mapping[str, Any]]] = {
    "chat": {
        "name": "Demo chat",
        "description": "A chat app to try the API with.",
        "config": {
            "pre_prompt": "You are a friendly assistant. Answer briefly and in the language of the question.",
            "opening_statement": "Hello! Ask me anything.",
            "suggested_questions": ["What can you do?", "How do I call you from my own program?"],
            "suggested_questions_after_answer": {"enabled": True},
            "speech_to_text": {"enabled": True},
            "text_to_speech": {"enabled": True, "voice": "", "language": ""},
            "file_upload": {
                "enabled": True,
                "allowed_file_types": ["image"],
                "allowed_file_upload_methods": ["local_file", "remote_url"],
                "number_limits": 3,
            },
        },
    },
    "completion": {
        "name": "Demo text generator",
        "description": "A completion app to try the API with.",
        "config": {
            "pre_prompt": "Write a short text about the following.\n\n{{query}}",
            "user_input_form": [{"paragraph": {"label": "Subject", "variable": "query", "required": True, "default": ""}}],
            "text_to_speech": {"enabled": True, "voice": "", "language": ""},
        },
    },
    "advanced-chat": {"name": "Demo chatflow", "description": "A chat app made of nodes, to try the API with."},
    "workflow": {"name": "Demo workflow", "description": "A workflow to try the API with."},
}


class NotOnThisInstance(Conflict):
    default_message = "The try-out workspace is not made in production mode."


def file_path() -> Path:
    return Path(settings.DIFYPROJ_VAR) / "bootstrap.json"


def facts() -> dict[str, Any] | None:
    """What was made earlier, or None."""
    path = file_path()
    if not path.exists():
        return None
    found = jsonio.loads(path.read_bytes())
    if not Tenant.objects.filter(pk=found["tenant_id"]).exists():
        return None
    return dict(found)


def make(*, base_url: str) -> dict[str, Any]:
    """Make what is missing and return the facts. Idempotent. Raises NotOnThisInstance in production mode."""
    if settings.PRODUCTION:
        raise NotOnThisInstance
    made = facts() or _workspace()
    _add_missing_apps(made)
    made["base_url"] = base_url
    _write(made)
    return made


@transaction.atomic
def _workspace() -> dict[str, Any]:
    password = secrets.token_urlsafe(12)
    owner = Account.objects.filter(email__iexact=OWNER_EMAIL).first()
    if owner is None:
        owner = accounts.create(email=OWNER_EMAIL, name="Owner", password=password, is_staff=True, is_superuser=True)
    else:
        owner.set_password(password)
        owner.save()
    tenant = tenants.create(name="Owner's workspace", owner=owner)
    for model_type in (ModelType.LLM, ModelType.RERANK, ModelType.TTS, ModelType.SPEECH2TEXT):
        default_models.update(tenant=tenant, model_type=model_type, provider=DEMO_MODEL[0], model=DEMO_MODEL[1])
    embedding = {"provider": builtin.BuiltinProvider.name, "model": builtin.best()}
    default_models.update(tenant=tenant, model_type=ModelType.TEXT_EMBEDDING, **embedding)
    _, dataset_token = tokens.create(tenant=tenant, kind=TokenKind.DATASET, name="demo")
    return {
        "base_url": "",
        "admin": {"email": owner.email, "password": password},
        "tenant_id": str(tenant.pk),
        "apps": [],
        "dataset_token": dataset_token,
    }


@transaction.atomic
def _add_missing_apps(made: dict[str, Any]) -> None:
    tenant = Tenant.objects.get(pk=made["tenant_id"])
    default = default_models.get(tenant, ModelType.LLM)
    provider, model = (default.provider, default.model) if default else DEMO_MODEL
    known = {str(pk) for pk in App.objects.for_tenant(tenant).values_list("pk", flat=True)}
    made["apps"] = [app for app in made["apps"] if app["id"] in known]
    owner_id = Account.objects.get(email__iexact=made["admin"]["email"]).pk
    for mode, row in DEMO_APPS.items():
        if any(app["mode"] == mode for app in made["apps"]):
            continue
        app = apps.create(
            tenant=tenant, name=row["name"], description=row["description"], mode=mode,
            config=_config(row, provider, model), created_by_id=owner_id,
        )  # fmt: skip
        if "config" not in row:
            trial_flows.draw(app, provider=provider, model=model, by=owner_id)
        _, token = tokens.create(tenant=tenant, app=app, name="demo")
        made["apps"].append(
            {"id": str(app.pk), "name": app.name, "mode": mode, "token": token, "site_code": Site.objects.get(app=app).code}
        )


def _config(row: Mapping[str, Any], provider: str, model: str) -> dict[str, Any]:
    """What the app is configured with; graphs name their models themselves."""
    if "config" not in row:
        return {}
    return {**row["config"], "model": {"provider": provider, "name": model, "mode": "chat", "completion_params": {}}}


def take_environment_providers() -> list[str]:
    """Give the first tenant the providers that the environment configures; the first becomes its default model and the demo
    apps' model. The names of the providers taken."""
    tenant = Tenant.objects.order_by("created_at").first()
    found = settings.ENVIRONMENT_PROVIDERS
    if tenant is None or not found:
        return []
    for given in found:
        _keep_credential(tenant, given.provider, dict(given.values))
    first = found[0]
    default_models.update(tenant=tenant, model_type=ModelType.LLM, provider=first.provider, model=first.model)
    _use_in_demo_apps(tenant, first.provider, first.model)
    return [given.provider for given in found]


def _keep_credential(tenant: Tenant, provider: str, values: dict[str, str]) -> None:
    row = ModelCredential.objects.for_tenant(tenant).filter(provider=provider, name=CREDENTIAL_NAME).first()
    if row is None:
        credentials.create(tenant=tenant, provider=provider, values=values, name=CREDENTIAL_NAME)
    elif credentials.get_values(row) != values:
        credentials.update(credential=row, values=values)


def _use_in_demo_apps(tenant: Tenant, provider: str, model: str) -> None:
    made = facts()
    demo_ids = [app["id"] for app in made["apps"]] if made else []
    for app in App.objects.for_tenant(tenant).filter(pk__in=demo_ids):
        if "config" not in DEMO_APPS[app.mode]:
            trial_flows.put_on(app, provider=provider, model=model)
            continue
        section = dict(app.config.get("model") or {})
        if (section.get("provider"), section.get("name")) != (provider, model):
            apps.update(app, config={**app.config, "model": {**section, "provider": provider, "name": model}})


def _write(made: Mapping[str, Any]) -> None:
    """Only the owner of the files may read the tokens."""
    path = file_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".bootstrap-")
    with os.fdopen(handle, "wb") as file:
        file.write(jsonio.dumps(made))
    Path(temporary).replace(path)
