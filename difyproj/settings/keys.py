"""The instance's own secrets: made once for development, demanded and weighed in production."""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from pathlib import Path

from .env import Env, EnvError, parse_key

EXAMPLES = ("django-insecure", "change", "example", "secret-key", "password", "default", "insecure", "todo")
MINIMUM_LENGTH, MINIMUM_DISTINCT = 40, 12


def local_secrets(var: Path) -> dict[str, str]:
    """The secrets in ``var/secrets.json`` (mode 600), made at the first call; processes that start together share one file."""
    path = var / "secrets.json"
    if not path.exists():
        _create(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {"SECRET_KEY": str(content["SECRET_KEY"]), "INSTANCE_KEY": str(content["INSTANCE_KEY"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvError(f"{path} cannot be read; restore it from a backup (it opens the stored credentials).") from error


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {"SECRET_KEY": secrets.token_urlsafe(48), "INSTANCE_KEY": base64.b64encode(secrets.token_bytes(32)).decode()}
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()


def development_keys(env: Env, var: Path) -> tuple[str, bytes]:
    """(SECRET_KEY, INSTANCE_KEY) from the environment, or from ``var/secrets.json`` for what is not given there."""
    secret, instance = env.raw("SECRET_KEY"), env.key("INSTANCE_KEY")
    if secret is not None and instance is not None:
        return secret, instance
    kept = local_secrets(var)
    return secret or kept["SECRET_KEY"], instance or parse_key("INSTANCE_KEY", kept["INSTANCE_KEY"])


def production_keys(env: Env) -> tuple[str, bytes]:
    """(SECRET_KEY, INSTANCE_KEY) from the environment only. Raises EnvError when one is missing, weak or an example."""
    secret, instance = env.raw("SECRET_KEY"), env.key("INSTANCE_KEY")
    if secret is None or instance is None:
        missing = "SECRET_KEY" if secret is None else "INSTANCE_KEY"
        raise EnvError(f"{missing} (or {missing}_FILE) must be set in production.")
    if len(secret) < MINIMUM_LENGTH or len(set(secret)) < MINIMUM_DISTINCT or any(word in secret.lower() for word in EXAMPLES):
        raise EnvError(f"SECRET_KEY is weak or an example; use at least {MINIMUM_LENGTH} random characters.")
    if len(set(instance)) < MINIMUM_DISTINCT:
        raise EnvError("INSTANCE_KEY is weak; use 32 random bytes.")
    return secret, instance
