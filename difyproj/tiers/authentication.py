"""Credentials to principals: what a tier's caller presents becomes the typed fact that views start from."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.policies import Role, capabilities
from apps.models import ApiToken
from apps.models.token import TokenKind
from apps.services import tokens
from difyproj.kernel.errors import Unauthorized
from difyproj.kernel.principal import ActorKind, Principal, Tier

HEADER_EXPECTED = "Authorization header must be provided and start with 'Bearer'."


def bearer(header: str | None) -> str:
    """The token in an Authorization header; the scheme's case does not matter. Raises Unauthorized."""
    parts = (header or "").split(None, 1)
    if len(parts) != 2 or parts[0].lower() != "bearer" or not parts[1].strip():
        raise Unauthorized(HEADER_EXPECTED)
    return parts[1].strip()


def app_key_principal(token: ApiToken) -> Principal:
    return Principal(
        tenant_id=token.tenant_id,
        actor_kind=ActorKind.APP_KEY,
        actor_id=token.pk,
        tier=Tier.SERVICE,
        app_id=token.app_id,
    )


class AppTokenAuthentication(BaseAuthentication):
    """An app's API token. ``request.user`` becomes the principal, ``request.auth`` the token row with its app."""

    def authenticate(self, request: Request) -> tuple[Principal, ApiToken]:
        token = tokens.authenticate(bearer(request.headers.get("Authorization")), kind=TokenKind.APP)
        return app_key_principal(token), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def dataset_key_principal(token: ApiToken) -> Principal:
    return Principal(
        tenant_id=token.tenant_id,
        actor_kind=ActorKind.DATASET_KEY,
        actor_id=token.pk,
        tier=Tier.SERVICE,
        capabilities=capabilities(Role.OWNER),
    )


class DatasetTokenAuthentication(AppTokenAuthentication):
    """A workspace's token for its datasets, which does what the workspace's owner may do there."""

    def authenticate(self, request: Request) -> tuple[Principal, ApiToken]:
        token = tokens.authenticate(bearer(request.headers.get("Authorization")), kind=TokenKind.DATASET)
        return dataset_key_principal(token), token
