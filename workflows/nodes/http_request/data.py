"""How a graph states a request; files of all versions."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from difyproj.kernel import structs

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
BodyKind = Literal["none", "form-data", "x-www-form-urlencoded", "raw-text", "json", "binary"]


class Credential(msgspec.Struct, frozen=True):
    """``header`` is where it goes, Authorization unless said otherwise."""

    type: Literal["basic", "bearer", "custom"] = "bearer"
    api_key: str | None = ""
    header: str | None = ""


class Authorization(msgspec.Struct, frozen=True):
    """``config`` counts with a key only: editors leave what was chosen before there, and empty forms."""

    type: Literal["no-auth", "api-key"] | None = "no-auth"
    config: Any = None

    def __post_init__(self) -> None:
        try:
            self.credential()
        except msgspec.ValidationError as error:
            raise ValueError(f"config: {error}") from None

    def credential(self) -> Credential | None:
        if self.type != "api-key" or self.config is None:
            return None
        return structs.convert(self.config, Credential)


class BodyRow(msgspec.Struct, frozen=True):
    """A field of a form, or the one row of any other body; ``file`` selects the file of a row of that type."""

    key: str | None = ""
    type: Literal["text", "file"] | None = "text"
    value: Any = ""
    file: tuple[str, ...] | None = ()

    @property
    def text(self) -> str:
        return self.value if isinstance(self.value, str) else "" if self.value is None else str(self.value)


class Body(msgspec.Struct, frozen=True):
    """``data`` is one text in files of old versions; for forms it has a line ``key:value`` for each field."""

    type: BodyKind | None = "none"
    data: list[BodyRow] | str | None = None

    @property
    def rows(self) -> list[BodyRow]:
        if not isinstance(self.data, str):
            return self.data or []
        if self.type in ("form-data", "x-www-form-urlencoded"):
            return [BodyRow(key=name, value=value) for name, value in pairs(self.data)]
        return [BodyRow(value=self.data)]


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds. Null and zero stand for the default."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None


class HttpRequestData(msgspec.Struct, frozen=True):
    """``url``, ``headers``, ``params``, the credential and the body are templates; headers and params have a line for each."""

    method: str = "get"
    url: str = ""
    headers: str | None = ""
    params: str | None = ""
    authorization: Authorization | None = None
    body: Body | None = None
    timeout: Timeouts | None = None
    ssl_verify: bool | None = True

    def __post_init__(self) -> None:
        if self.method.upper() not in METHODS:
            raise ValueError(f"{self.method!r} is no method of HTTP")

    @property
    def credential(self) -> Credential | None:
        """Raises ValueError where one is announced and not given."""
        if self.authorization is None or self.authorization.type != "api-key":
            return None
        stated = self.authorization.credential()
        if stated is None:
            raise ValueError("The request needs a credential, and none is configured.")
        return stated


def pairs(lines: str) -> list[tuple[str, str]]:
    """Name and value of each line, split at its first colon."""
    found = []
    for line in lines.splitlines():
        name, _, value = line.partition(":")
        if name.strip():
            found.append((name.strip(), value.strip()))
    return found
