"""allauth's seam: it talks to providers and keeps the state of the conversation, everything after that is ours."""

from __future__ import annotations

from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider
from django.conf import settings
from django.http import HttpRequest

from accounts.services.identities import Identity
from difyproj.settings.sign_in import OPENID_CONNECT

from . import admission
from .client import ProviderSession
from .providers import GitHub, OpenIDConnect


class Adapter(DefaultSocialAccountAdapter):
    """Providers come from the settings alone, calls go through the egress client, and no flow of allauth's own begins."""

    def list_apps(
        self, request: HttpRequest | None, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        rows = settings.SIGN_IN_PROVIDERS.values()
        return [
            SocialApp(
                provider=row.kind, provider_id=row.name, name=row.title, client_id=row.client_id, secret=row.client_secret,
                settings={"server_url": row.url, "oauth_pkce_enabled": True},
            )
            for row in rows
            if provider in (None, row.name) and client_id in (None, row.client_id)
        ]  # fmt: skip

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> OAuth2Provider:
        found: OAuth2Provider = super().get_provider(request, provider, client_id)
        found.oauth2_adapter_class = OpenIDConnect if found.id == OPENID_CONNECT else GitHub
        return found

    def get_requests_session(self) -> ProviderSession:
        return ProviderSession()

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> Any:
        sociallogin.user.name = str(data.get("name") or data.get("username") or "")[:255]
        return sociallogin.user

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> NoReturn:
        """The provider has answered for somebody. Our own rules decide; allauth neither signs in nor signs up."""
        raise ImmediateHttpResponse(admission.answer(request, _identity(sociallogin), sociallogin.state.get("data") or {}))

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> NoReturn:
        raise ImmediateHttpResponse(admission.failed(request, error, exception))


def _identity(login: SocialLogin) -> Identity:
    """The addresses stand in the order of their importance: a verified one is taken before any other."""
    best = next((row for row in login.email_addresses if row.verified is True), None)
    address = best or next(iter(login.email_addresses), None)
    return Identity(
        provider=login.account.provider,
        uid=login.account.uid,
        email=address.email if address else "",
        email_is_verified=best is not None,
        name=login.user.name,
    )
