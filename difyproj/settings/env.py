"""Strict reading of the environment: a value that cannot be read stops the start and its variable is named."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from pathlib import Path

TRUE, FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


class EnvError(ValueError):
    """A variable is missing or cannot be read. Never carries a secret's value."""


class Env:
    """Typed values out of ``values``. Instead of ``X``, ``X_FILE`` may be given: the path of a file that holds the value."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def raw(self, name: str) -> str | None:
        """The text of ``name`` or of the file that ``name``_FILE points to; None when neither is set or both are empty."""
        direct, path = self._values.get(name, ""), self._values.get(f"{name}_FILE", "")
        if direct and path:
            raise EnvError(f"{name} and {name}_FILE are both set; keep one of them.")
        if path:
            try:
                return Path(path).read_text(encoding="utf-8").strip() or None
            except (OSError, UnicodeDecodeError) as error:
                raise EnvError(f"{name}_FILE: cannot read {path}: {type(error).__name__}.") from error
        return direct.strip() or None

    def text(self, name: str, default: str) -> str:
        value = self.raw(name)
        return default if value is None else value

    def flag(self, name: str, default: bool) -> bool:
        value = self.raw(name)
        if value is None:
            return default
        if value.lower() in TRUE:
            return True
        if value.lower() in FALSE:
            return False
        raise EnvError(f"{name} must be true or false.")

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int = 2**31 - 1) -> int:
        value = self.raw(name)
        if value is None:
            return default
        if not value.isascii() or not value.removeprefix("-").isdigit():
            raise EnvError(f"{name} must be a whole number.")
        if not minimum <= int(value) <= maximum:
            raise EnvError(f"{name} must be between {minimum} and {maximum}.")
        return int(value)

    def seconds(self, name: str, default: float, *, minimum: float = 0.0) -> float:
        """A duration in seconds; fractions are allowed."""
        value = self.raw(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError as error:
            raise EnvError(f"{name} must be a number of seconds.") from error
        if not minimum <= number < float("inf"):
            raise EnvError(f"{name} must be at least {minimum} seconds.")
        return number

    def choice(self, name: str, default: str, options: Sequence[str]) -> str:
        value = self.text(name, default)
        if value not in options:
            raise EnvError(f"{name} must be one of: {', '.join(options)}.")
        return value

    def words(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """A list written with commas or white space between its items."""
        value = self.raw(name)
        return list(default) if value is None else value.replace(",", " ").split()

    def address(self, name: str, default: str) -> str:
        """Where a service listens: ``host:port``, or the absolute path of a unix socket."""
        value = self.text(name, default)
        host, _, port = value.rpartition(":")
        if value.startswith("/") or (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            return value
        raise EnvError(f"{name} must be host:port or the path of a socket.")

    def key(self, name: str) -> bytes | None:
        """A key of exactly 32 bytes, written in base64 (standard or URL-safe alphabet)."""
        value = self.raw(name)
        return None if value is None else parse_key(name, value)

    def keys(self, name: str) -> list[bytes]:
        """Several such keys."""
        return [parse_key(name, word) for word in self.words(name)]


def parse_key(name: str, value: str) -> bytes:
    try:
        key = base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EnvError(f"{name} must be 32 bytes in base64.") from error
    if len(key) != 32:
        raise EnvError(f"{name} must be 32 bytes in base64; it has {len(key)}.")
    return key
