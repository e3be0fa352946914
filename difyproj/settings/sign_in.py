"""The sign-in providers that the environment configures: any OpenID Connect issuer, Google, GitHub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .env import Env, EnvError

OPENID_CONNECT, GITHUB = "openid_connect", "github"
GOOGLE_ISSUER = "https://accounts.google.com"
GITHUB_URL = "https://github.com"


@dataclass(frozen=True, slots=True)
class SignInProvider:
    """``url`` is the issuer, or the place where GitHub is served."""

    name: str
    kind: str
    title: str
    url: str
    client_id: str
    client_secret: str = field(repr=False)


def sign_in_providers(env: Env) -> dict[str, SignInProvider]:
    """By name, those whose client id is given. Raises EnvError for one that is half configured."""
    rows = (
        (
            ("oidc", OPENID_CONNECT, env.text("OIDC_NAME", "OpenID Connect"), env.text("OIDC_ISSUER", "")),
            (env.text("OIDC_CLIENT_ID", ""), env.text("OIDC_CLIENT_SECRET", "")),
        ),
        (
            ("google", OPENID_CONNECT, "Google", GOOGLE_ISSUER),
            (env.text("GOOGLE_CLIENT_ID", ""), env.text("GOOGLE_CLIENT_SECRET", "")),
        ),
        (
            ("github", GITHUB, "GitHub", env.text("GITHUB_URL", GITHUB_URL)),
            (env.text("GITHUB_CLIENT_ID", ""), env.text("GITHUB_CLIENT_SECRET", "")),
        ),
    )
    found = {}
    for (name, kind, title, url), (client_id, secret) in rows:
        if client_id or secret:
            found[name] = SignInProvider(name, kind, title, _checked(name, url), client_id, secret)
            if not client_id or not secret:
                raise EnvError(f"{name.upper()}_CLIENT_ID and {name.upper()}_CLIENT_SECRET must be set together.")
    return found


def _checked(name: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EnvError(
            f"{'GITHUB_URL' if name == 'github' else 'OIDC_ISSUER'} must be an address such as https://host.example."
        )
    return url.rstrip("/")


def sign_in_hosts(providers: Iterable[SignInProvider]) -> list[str]:
    """host:port of each provider: what the operator named may be reached, wherever it stands."""
    parts = [urlsplit(provider.url) for provider in providers]
    return [f"{part.hostname}:{part.port or (443 if part.scheme == 'https' else 80)}" for part in parts]
