"""``DATABASE_URL`` to Django's database settings: SQLite tuned for one busy process, PostgreSQL with kept connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .env import EnvError

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA wal_autocheckpoint=2000",
    "PRAGMA mmap_size=268435456",
    "PRAGMA cache_size=-16000",
    "PRAGMA temp_store=MEMORY",
)
BUSY_SECONDS = 20
# A server that vanished without a word is noticed within about 20 s; the query of DATABASE_URL may say otherwise.
POSTGRES_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})


def sqlite(path: str | Path, *, pragmas: tuple[str, ...] = SQLITE_PRAGMAS) -> dict[str, Any]:
    """SQLite: writers queue at BEGIN IMMEDIATE, so a transaction never fails half-way for want of the lock."""
    return {
        "ENGINE": "difyproj.infra.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": BUSY_SECONDS, "init_command": ";".join(pragmas)},
    }


def database(url: str) -> dict[str, Any]:
    """Settings for ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgres://user:password@host:port/name?sslmode=...``."""
    parts = urlsplit(url)
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme == "sqlite" and name and not parts.netloc:
        return sqlite(name)
    if parts.scheme not in POSTGRES_SCHEMES or not name:
        raise EnvError("DATABASE_URL must look like sqlite:///path or postgres://user:password@host:port/name.")
    try:
        port = parts.port
    except ValueError as error:
        raise EnvError("DATABASE_URL has a port that is not a number.") from error
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**POSTGRES_PATIENCE, **dict(parse_qsl(parts.query))},
    }
