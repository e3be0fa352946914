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
        ("oidc", "OIDC", OPENID_CONNECT, env.text("OIDC_NAME", "OpenID Connect"), env.text("OIDC_ISSUER", "")),
        ("google", "GOOGLE", OPENID_CONNECT, "Google", GOOGLE_ISSUER),
        ("github", "GITHUB", GITHUB, "GitHub", env.text("GITHUB_URL", GITHUB_URL)),
    )
    found = {}
    for name, prefix, kind, title, url in rows:
        client_id, secret = env.text(f"{prefix}_CLIENT_ID", ""), env.text(f"{prefix}_CLIENT_SECRET", "")
        if not client_id and not secret:
            continue
        if not client_id or not secret:
            raise EnvError(f"{prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET must be set together.")
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise EnvError(f"{prefix}_{'ISSUER' if kind == OPENID_CONNECT else 'URL'} must be an address such as https://host.")
        found[name] = SignInProvider(name, kind, title, url.rstrip("/"), client_id, secret)
    return found


def sign_in_hosts(providers: Iterable[SignInProvider]) -> list[str]:
    """host:port of each provider: what the operator named may be reached, wherever it stands."""
    parts = [urlsplit(provider.url) for provider in providers]
    return [f"{part.hostname}:{part.port or (443 if part.scheme == 'https' else 80)}" for part in parts]
