"""The two kinds of providers as allauth knows them, told where to call back and held to what the protocols promise."""

from __future__ import annotations

from typing import Any, Final

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest

from difyproj.settings.sign_in import GITHUB_URL

from .client import ProviderFailed

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS: Final = 30
LONGEST_UID: Final = 191
NEEDED: Final = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


def callback_url(provider: str) -> str:
    """Where the provider sends people back to, and what its operator has to enter there."""
    return f"{settings.PUBLIC_URL}/console/api/oauth/authorize/{provider}"


class OpenIDConnect(OpenIDConnectOAuth2Adapter):
    """Any issuer. The ID token is demanded and its signature always checked; allauth believes what came over TLS."""

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return callback_url(self.provider_id)

    @property
    def openid_config(self) -> dict[str, Any]:
        """The issuer's own description. Raises ProviderFailed for one of another issuer, or one that says too little."""
        config = super().openid_config
        if not isinstance(config, dict) or not all(isinstance(config.get(name), str) for name in NEEDED):
            raise ProviderFailed("The issuer's description is incomplete.")
        if config["issuer"].rstrip("/") != settings.SIGN_IN_PROVIDERS[self.provider_id].url:
            raise ProviderFailed("The issuer's description names another issuer.")
        found: dict[str, Any] = config
        return found

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        raw = kwargs["response"].get("id_token")
        if not isinstance(raw, str):
            raise ProviderFailed("The provider sent no ID token.")
        claims = self._decode_id_token(app, raw)
        person = claims if "email" in claims else self._told_of(token, claims)
        # Some issuers write it as a text, and "false" is a text like any other.
        verified = person.get("email_verified")
        person = {**person, "email_verified": verified is True or verified == "true"}
        return self.get_provider().sociallogin_from_response(request, {"id_token": person})

    def _told_of(self, token: SocialToken, claims: dict[str, Any]) -> dict[str, Any]:
        """What the issuer tells where its ID token is short. An address and its being verified come from one source."""
        if not isinstance(self.openid_config.get("userinfo_endpoint"), str):
            return claims
        told = self._fetch_user_info(token.token)
        if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
            raise ProviderFailed("The provider told of another person than the one who signed in.")
        return told

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        config = self.openid_config
        try:
            claims: dict[str, Any] = jwt.decode(
                id_token, self._key_of(id_token, config["jwks_uri"]), algorithms=list(ALGORITHMS), issuer=config["issuer"],
                audience=app.client_id, leeway=LEEWAY_SECONDS, options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise ProviderFailed("The ID token is not valid.") from error
        if not 0 < len(claims["sub"]) <= LONGEST_UID:
            raise ProviderFailed("The ID token names nobody.")
        return claims

    def _key_of(self, id_token: str, address: str) -> Any:
        """The issuer's key that the token names; where it names none, the only one there is."""
        with get_adapter().get_requests_session() as session:
            answer = session.get(address)
            answer.raise_for_status()
            known = jwt.PyJWKSet.from_dict(answer.json()).keys
        named = jwt.get_unverified_header(id_token).get("kid")
        fitting = [key for key in known if key.key_id == named] if named else known
        if len(fitting) != 1:
            raise ProviderFailed("The ID token is signed with a key that the issuer does not know.")
        return fitting[0]


class GitHub(GitHubOAuth2Adapter):
    """GitHub itself, or an enterprise's own. What it says is verified it says of each address."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        web = settings.SIGN_IN_PROVIDERS[self.provider_id].url
        api = "https://api.github.com" if web == GITHUB_URL else f"{web}/api/v3"
        self.authorize_url, self.access_token_url = f"{web}/login/oauth/authorize", f"{web}/login/oauth/access_token"
        self.profile_url, self.emails_url = f"{api}/user", f"{api}/user/emails"

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return callback_url(self.provider_id)
