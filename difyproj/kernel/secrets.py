"""Secrets: sealed at rest, wrapped data keys, tokens, signatures, and what is shown or logged in their place.

A sealed value is ``version (1 byte) + nonce (12) + AES-256-GCM ciphertext and tag (16)``. Its ``context`` (say, the ids of
the row it belongs to) is authenticated but not stored: under another context it does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import string
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .clock import now as now_utc

KEY_BYTES = 32
REDACTED = "***REDACTED***"

_VERSION = b"\x01"
_NONCE_BYTES = 12
_TOKEN_ALPHABET = string.ascii_letters + string.digits
_TOKEN_CHARACTERS = 32
_STARS = "*" * 12
_MAX_DEPTH = 24

_SENSITIVE = re.compile(r"passw|passphrase|token|api_?key|access_?key|private_?key|secret|credential|authorization|cookie")
_COUNTER = re.compile(r"tokens|token_(?:budget|count|limit|usage)")


class Unreadable(ValueError):
    """The key or the context is not the one it was sealed with, or the bytes are damaged."""


def seal(key: bytes, plaintext: bytes, *, context: bytes) -> bytes:
    """``plaintext`` encrypted with a key of 32 bytes and bound to ``context``."""
    return _encrypt(key, plaintext, b"value\0" + context)


def unseal(key: bytes, sealed: bytes, *, context: bytes) -> bytes:
    """What was sealed. Raises Unreadable."""
    return _decrypt(key, sealed, b"value\0" + context)


def new_data_key() -> bytes:
    return os.urandom(KEY_BYTES)


def wrap_key(instance_key: bytes, data_key: bytes, *, context: bytes) -> bytes:
    """A data key sealed with the instance key; a wrapped key never opens as a value, nor a value as a key."""
    return _encrypt(instance_key, data_key, b"key\0" + context)


def unwrap_key(instance_key: bytes, wrapped: bytes, *, context: bytes) -> bytes:
    """The data key. Raises Unreadable."""
    return _decrypt(instance_key, wrapped, b"key\0" + context)


def new_token(prefix: str) -> str:
    """``prefix`` (such as ``app-``) and 32 random letters and digits: 190 bits."""
    return prefix + "".join(secrets.choice(_TOKEN_ALPHABET) for _ in range(_TOKEN_CHARACTERS))


def hash_token(token: str) -> str:
    """What is stored of a token: SHA-256 in hex. Enough without salt, since a token is random."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def mask(value: str) -> str:
    """A credential as it is shown after it was saved: its ends when it is long, stars otherwise. Never its length."""
    if len(value) < 16:
        return _STARS
    head, tail = (6, 4) if len(value) >= 24 else (2, 2)
    return f"{value[:head]}{_STARS}{value[-tail:]}"


def redact(value: Any) -> Any:
    """A copy for logs: what stands under a sensitive key becomes ``***REDACTED***``, at any depth.

    Usage counters (``total_tokens`` and the like, with a number) stay. Data classes become objects, sets and tuples lists.
    """
    return _redact(value, 0)


def sign(key: bytes, message: bytes, *, expires: int) -> str:
    """A signature of 43 URL-safe characters for ``message``, good until ``expires`` (epoch seconds, sent along with it)."""
    mac = hmac.digest(key, b"%d\0%s" % (expires, message), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def verify(key: bytes, message: bytes, signature: str, *, expires: int, now: float | None = None) -> bool:
    """Whether ``signature`` is ours for this message and expiry, and not too old. Constant time."""
    genuine = hmac.compare_digest(sign(key, message, expires=expires).encode(), signature.encode("utf-8", "replace"))
    return genuine and (now_utc().timestamp() if now is None else now) < expires


def _encrypt(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + _cipher(key).encrypt(nonce, plaintext, _VERSION + associated)


def _decrypt(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    version, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    if version != _VERSION or len(rest) < 16:
        raise Unreadable("This is not a sealed value of a known version.")
    try:
        return _cipher(key).decrypt(nonce, rest, version + associated)
    except InvalidTag:
        raise Unreadable("The sealed value does not open with this key.") from None


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"A key has {KEY_BYTES} bytes, not {len(key)}.")
    return AESGCM(key)


def _redact(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if depth >= _MAX_DEPTH:
        return REDACTED
    if isinstance(value, Mapping):
        return {name: _redact_entry(name, item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | AbstractSet):
        return [_redact(item, depth + 1) for item in value]
    if isinstance(value, msgspec.Struct):
        return {name: _redact_entry(name, getattr(value, name), depth + 1) for name in value.__struct_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _redact_entry(part.name, getattr(value, part.name), depth + 1) for part in fields(value)}
    return value


def _redact_entry(name: Any, value: Any, depth: int) -> Any:
    plain = str(name).lower().replace("-", "_")
    words = set(_SENSITIVE.findall(plain))
    if not words:
        return _redact(value, depth)
    return _counters(value, depth) if words == {"token"} and _COUNTER.search(plain) else REDACTED


def _counters(value: Any, depth: int) -> Any:
    """Numbers, and objects of numbers; anything else under a counter's name may be the tokens themselves."""
    if value is None or isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        return {name: _redact_entry(f"{name}_tokens", item, depth + 1) for name, item in value.items()}
    return REDACTED
