"""How the sweeps call each route of the Console API: the accounts' here, the apps' in ``console_app_entries``.

In the order of the table what is read and written comes before what takes rows away, and what ends the caller's session last.
"""

from __future__ import annotations

from typing import Any

from .sweeping import Entry

Table = dict[tuple[str, str], Entry]

PREFIX = "/console/api"
MODELS = f"{PREFIX}/workspaces/current/model-providers/{{provider}}"
MEMBERS = f"{PREFIX}/workspaces/current/members"

# Routes that name nobody's rows: a stranger is answered about what is their own.
OWN = frozenset({200, 201, 204})
REFUSED = frozenset({400})
GATE = frozenset({200, 400, 401, 403})

CREDENTIALS = {"openai_api_key": "sk-new-0123456789abcdef", "openai_api_base": "{upstream}"}
NEW_PASSWORD = {"token": "x", "new_password": "longEnough1", "password_confirm": "longEnough1"}
MODEL: dict[str, Any] = {"model": "{model}", "model_type": "{model_type}"}
PRIVATE: dict[str, Any] = {"model": "{private_model}", "model_type": "{model_type}"}
CREDENTIAL = {"credential_id": "{credential_id}"}
MODEL_CREDENTIAL = {"credential_id": "{model_credential_id}"}


def own(body: Any = None, *, status: int = 200, **rest: Any) -> Entry:
    """A route that names no row."""
    return Entry(body, status=status, allowed=rest.pop("allowed", OWN if status < 400 else frozenset({status})), **rest)


def gate(body: Any = None, *, status: int = 400, **rest: Any) -> Entry:
    """A route for callers who are not signed in."""
    return Entry(body, status=status, allowed=GATE, **rest)


BEFORE_SIGN_IN: Table = {
    ("get", "/ping"): own(),
    ("get", "/setup"): own(),
    ("post", "/setup"): gate({"email": "x@acme.example", "name": "X", "password": "longEnough1"}, status=403),
    ("get", "/init"): own(),
    ("post", "/init"): gate({"password": "x"}, status=403),
    ("get", "/version"): own(query={"current_version": "0"}),
    ("get", "/system-features"): own(),
    ("post", "/login"): gate({"email": "alice@acme.example", "password": "wrong"}, status=401),
    ("post", "/login/second-factor"): gate({"token": "x", "code": "123456"}),
    ("post", "/refresh-token"): gate({"refresh_token": "x"}, status=401),
    ("post", "/email-code-login"): gate({"email": "alice@acme.example"}, status=200),
    ("post", "/email-code-login/validity"): gate({"email": "alice@acme.example", "code": "000000", "token": "x"}),
    ("post", "/forgot-password"): gate({"email": "alice@acme.example"}, status=200),
    ("post", "/forgot-password/validity"): gate({"email": "alice@acme.example", "code": "000000", "token": "x"}),
    ("post", "/forgot-password/resets"): gate(NEW_PASSWORD),
    ("post", "/reset-password"): gate({"email": "alice@acme.example"}, status=200),
    ("post", "/email-register/send-email"): gate({"email": "alice@acme.example"}, status=403),
    ("post", "/email-register/validity"): gate({"email": "alice@acme.example", "code": "000000", "token": "x"}, status=403),
    ("post", "/email-register"): gate(NEW_PASSWORD, status=403),
    ("get", "/activate/check"): gate(query={"workspace_id": "{tenant_id}", "token": "x"}, status=200),
    ("post", "/activate"): gate(
        {"workspace_id": "{tenant_id}", "token": "x", "name": "X", "interface_language": "en-US", "timezone": "UTC"},
        status=403,
    ),
    ("get", "/oauth/login/{provider}"): gate(ids={"provider": "{sign_in}"}),
    ("get", "/oauth/authorize/{provider}"): gate(query={"code": "x", "state": "x"}, ids={"provider": "{sign_in}"}),
    ("post", "/account/delete/feedback"): gate({"email": "alice@acme.example", "feedback": "x"}, status=200),
    ("get", "/workspaces/{tenant_id}/model-providers/{provider}/{icon_type}/{lang}"): own(),
}

ACCOUNT: Table = {
    ("get", "/account/profile"): own(),
    ("post", "/account/name"): own({"name": "Changed"}),
    ("get", "/account/avatar"): Entry(query={"avatar": "{file_id}"}, allowed=OWN),
    ("post", "/account/avatar"): Entry({"avatar": "{file_id}"}, status=404),
    ("post", "/account/interface-language"): own({"interface_language": "de-DE"}),
    ("post", "/account/interface-theme"): own({"interface_theme": "dark"}),
    ("post", "/account/timezone"): own({"timezone": "Europe/Berlin"}),
    ("get", "/account/integrates"): own(),
    ("post", "/account/init"): own({"interface_language": "en-US", "timezone": "UTC"}, status=400),
    ("post", "/account/change-email"): own({"email": "alice@acme.example"}, allowed=OWN | REFUSED),
    ("post", "/account/change-email/validity"): own(
        {"email": "alice@acme.example", "code": "000000", "token": "x"}, status=400
    ),
    ("post", "/account/change-email/reset"): own({"new_email": "new@acme.example", "token": "x"}, status=400),
    ("post", "/account/change-email/check-email-unique"): own({"email": "new@acme.example"}),
    ("get", "/account/delete/verify"): own(),
    ("post", "/account/delete"): own({"token": "x", "code": "000000"}, status=400),
    ("get", "/account/education"): own(),
    ("post", "/account/education"): own({}, status=403),
    ("get", "/account/education/verify"): own(status=403),
    ("get", "/account/education/autocomplete"): own(),
    ("get", "/account/sessions"): own(),
    ("delete", "/account/sessions/{session_id}"): Entry(status=204),
    ("get", "/account/second-factor"): own(),
    ("post", "/account/second-factor"): own({}),
    ("post", "/account/second-factor/confirm"): own({"token": "x", "code": "000000", "password": "{password}"}, status=400),
    ("post", "/account/second-factor/recovery-codes"): own({"password": "{password}"}, status=400),
    ("delete", "/account/second-factor"): own({"password": "{password}"}),
}

WORKSPACES: Table = {
    ("get", "/workspaces"): own(),
    ("post", "/workspaces"): own({"name": "Another"}, status=400),
    ("get", "/workspaces/current"): own(),
    ("post", "/workspaces/current"): own({}),
    ("post", "/workspaces/switch"): Entry({"tenant_id": "{tenant_id}"}, allowed=frozenset({403})),
    ("post", "/workspaces/info"): own({"name": "Renamed"}),
    ("post", "/workspaces/custom-config"): own({"remove_webapp_brand": True}, status=403),
    ("post", "/workspaces/custom-config/webapp-logo/upload"): own({}, status=403),
    ("get", "/workspaces/current/permission"): own(),
    ("get", "/workspaces/current/members"): own(),
    ("get", "/workspaces/current/dataset-operators"): own(),
    ("post", "/workspaces/current/members/invite-email"): own({"emails": ["new@acme.example"], "role": "normal"}, status=201),
    ("post", "/workspaces/current/members/send-owner-transfer-confirm-email"): own({}),
    ("post", "/workspaces/current/members/owner-transfer-check"): own({"code": "000000", "token": "x"}, status=400),
    ("post", "/workspaces/current/members/{member_id}/owner-transfer"): Entry({"token": "x"}, status=400, allowed=REFUSED),
    ("put", "/workspaces/current/members/{member_id}/update-role"): Entry({"role": "editor"}),
    ("get", "/features"): own(),
    ("get", "/features/vector-space"): own(),
    ("get", "/spec/schema-definitions"): own(),
    ("get", "/trial-models"): own(),
    ("get", "/notification"): own(),
    ("post", "/notification/dismiss"): own({"notification_id": "x"}, status=404),
    ("get", "/all-workspaces"): own(status=403),
}

PROVIDERS: Table = {
    ("get", "/models/credentials"): Entry(query={**PRIVATE, **MODEL_CREDENTIAL}),
    ("post", "/models/credentials"): own({**MODEL, "name": "mine", "credentials": CREDENTIALS}, status=201),
    ("put", "/models/credentials"): Entry({**PRIVATE, **MODEL_CREDENTIAL, "name": "renamed", "credentials": CREDENTIALS}),
    ("post", "/models/credentials/switch"): Entry({**PRIVATE, **MODEL_CREDENTIAL}),
    ("post", "/models/credentials/validate"): own({**MODEL, "credentials": CREDENTIALS}),
    ("post", "/models/load-balancing-configs/credentials-validate"): own({**MODEL, "credentials": CREDENTIALS}),
    ("post", "/models/load-balancing-configs/{config_id}/credentials-validate"): Entry({**PRIVATE, "credentials": CREDENTIALS}),
    ("get", "/credentials"): Entry(query=CREDENTIAL),
    ("post", "/credentials"): own({"name": "third", "credentials": CREDENTIALS}, status=201),
    ("put", "/credentials"): Entry({**CREDENTIAL, "name": "renamed", "credentials": CREDENTIALS}),
    ("post", "/credentials/switch"): Entry(CREDENTIAL),
    ("post", "/credentials/validate"): own({"credentials": CREDENTIALS}),
    ("patch", "/models/enable"): own(MODEL),
    ("patch", "/models/disable"): own(PRIVATE),
    ("get", "/models/parameter-rules"): own(query={"model": "{model}"}),
    ("get", "/models"): own(),
    ("post", "/models"): Entry(
        {**PRIVATE, **MODEL_CREDENTIAL, "load_balancing": {"enabled": True, "configs": [MODEL_CREDENTIAL]}}
    ),
    ("post", "/preferred-provider-type"): own({"preferred_provider_type": "custom"}),
}

MODEL_TYPES: Table = {
    ("get", "/workspaces/current/default-model"): own(query={"model_type": "{model_type}"}),
    ("post", "/workspaces/current/default-model"): own({"model_settings": [{**MODEL, "provider": "{provider}"}]}),
    ("get", "/workspaces/current/models/model-types/{model_type}"): own(),
    ("get", "/workspaces/current/model-providers"): own(query={"model_type": "{model_type}"}),
}

LOSSES: Table = {
    ("delete", "/workspaces/current/model-providers/{provider}/models/credentials"): Entry(
        {**PRIVATE, **MODEL_CREDENTIAL}, status=204
    ),
    ("delete", "/workspaces/current/model-providers/{provider}/credentials"): Entry(CREDENTIAL, status=204),
    ("delete", "/workspaces/current/model-providers/{provider}/models"): own(PRIVATE, status=204),
    ("delete", "/workspaces/current/members/{member_id}"): Entry(),
    ("delete", "/account/sessions"): own(),
    ("post", "/account/password"): own(
        {"password": "{password}", "new_password": "anotherLong1", "repeat_new_password": "anotherLong1"}
    ),
    ("post", "/logout"): own({}),
}


def below(prefix: str, table: Table) -> Table:
    return {(method, prefix + path): entry for (method, path), entry in table.items()}
