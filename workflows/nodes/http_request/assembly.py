"""From what the graph states to one call: every part filled in, and the credential kept to hosts that the author chose."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from difyproj.kernel.errors import InvalidParam
from workflows.engine import template
from workflows.engine.masking import STARS, masked
from workflows.engine.node import NodeContext
from workflows.engine.pool import VariablePool
from workflows.engine.ports import FILE_LIMIT, HttpCall

from . import body
from .data import Body, Credential, HttpRequestData, Timeouts, pairs

Pair = tuple[str, str]

_DEFAULT: Final = Timeouts(connect=10.0, read=600.0, write=600.0)
_LONGEST: Final = Timeouts(connect=300.0, read=1200.0, write=1200.0)
_ENVIRONMENT: Final = "env"
_ORIGIN_END: Final = re.compile(r"[/?#]")
_CREDENTIAL_NAME: Final = re.compile(
    r"auth(?!or\b)|cookie|credential|(?<!idempotency-)key\b|apikey|password|passwd|secret|signature|token", re.IGNORECASE
)
_SHOWN_BODY: Final = 100_000


@dataclass(frozen=True, slots=True)
class Request:
    """``trace`` is the request as people may read it."""

    call: HttpCall
    trace: str


async def assemble(ctx: NodeContext[HttpRequestData]) -> Request:
    """Raises InvalidParam naming the part that is wrong."""
    data, pool = ctx.data, ctx.pool
    url = template.parse(data.url).render(pool).strip()
    if not url.lower().startswith(("http://", "https://")):
        raise InvalidParam("The URL must begin with http:// or https://.", params="url")
    headers, secret = _headers(data, pool)
    encoded = await body.encode(data.body or Body(), ctx)
    if encoded.content_type and not _is_stated(headers, encoded.content_type):
        headers = [*(pair for pair in headers if pair[0].lower() != "content-type"), ("Content-Type", encoded.content_type)]
    if carries_credential(data, pool):
        _check_origin(data.url, pool)
    call = HttpCall(
        method=data.method.upper(),
        url=url,
        params=_lines(data.params or "", pool),
        headers=headers,
        body=encoded.data,
        timeout=_timeout(data.timeout or Timeouts()),
        verify_tls=data.ssl_verify is not False,
        limit=FILE_LIMIT,
        secret=(*secret, *_secret_names(data.headers or "", pool)),
    )
    return Request(call, _trace(call, encoded.shown, secret, pool.secrets))


def _headers(data: HttpRequestData, pool: VariablePool) -> tuple[list[Pair], Mapping[str, str]]:
    """All headers; and those that the credential made, by their names."""
    secret = _credential(data, pool)
    taken = {name.lower() for name in secret}
    given = [pair for pair in _lines(data.headers or "", pool) if pair[0].lower() not in taken]
    return [*given, *secret.items()], secret


def _lines(stated: str, pool: VariablePool) -> list[Pair]:
    """Lines are split before they are filled, so that a value cannot add one; a line without a colon may hold several."""
    found: list[Pair] = []
    for line in stated.splitlines():
        if ":" not in line:
            found += pairs(template.parse(line).render(pool))
            continue
        name, _, value = line.partition(":")
        filled = _one_line(template.parse(name).render(pool))
        if filled:
            found.append((filled, _one_line(template.parse(value).render(pool))))
    return found


def _one_line(text: str) -> str:
    return " ".join(filter(None, map(str.strip, text.splitlines())))


def _credential(data: HttpRequestData, pool: VariablePool) -> Mapping[str, str]:
    try:
        stated = data.credential
    except ValueError as error:
        raise InvalidParam(f"{error}", params="authorization.config") from None
    if stated is None:
        return {}
    key = _one_line(template.parse(stated.api_key or "").render(pool))
    if not key:
        raise InvalidParam("The request's API key is empty.", params="authorization.config.api_key")
    return {(stated.header or "").strip() or "Authorization": _presented(stated, key)}


def _presented(stated: Credential, key: str) -> str:
    if stated.type == "bearer":
        return f"Bearer {key}"
    if stated.type == "basic":
        return f"Basic {base64.b64encode(key.encode()).decode() if ':' in key else key}"
    return key


def _is_stated(headers: list[Pair], content_type: str) -> bool:
    """The author's content type stands; but a form without its boundary could not be read by anybody."""
    stated = next((value.lower() for name, value in headers if name.lower() == "content-type"), None)
    if stated is None:
        return False
    return not (
        content_type.startswith("multipart/") and stated.startswith("multipart/form-data") and "boundary=" not in stated
    )


def _timeout(stated: Timeouts) -> tuple[float, float, float]:
    def within(value: float | None, default: float | None, longest: float | None) -> float:
        return min(value if value and value > 0 else default or 0.0, longest or 0.0)

    return (
        within(stated.connect, _DEFAULT.connect, _LONGEST.connect),
        within(stated.read, _DEFAULT.read, _LONGEST.read),
        within(stated.write, _DEFAULT.write, _LONGEST.write),
    )


def carries_credential(data: HttpRequestData, pool: VariablePool) -> bool:
    """True when something of the author's is sent that opens doors: a key or a secret of the environment, not one that the
    caller of the app brought."""
    config = data.authorization.credential() if data.authorization is not None else None
    if config is not None and _is_authors(config.api_key or ""):
        return True
    if any(_CREDENTIAL_NAME.search(name) and _is_authors(value) for name, value in pairs(data.headers or "")):
        return True
    rows = data.body.rows if data.body is not None else []
    texts = [data.url, data.headers, data.params, *(row.text for row in rows)]
    return any(_holds_secret(text or "", pool) for text in texts)


def _secret_names(headers: str, pool: VariablePool) -> list[str]:
    """Headers of any name whose value is a secret of the environment."""
    return [line.partition(":")[0].strip() for line in headers.splitlines() if _holds_secret(line, pool)]


def _holds_secret(text: str, pool: VariablePool) -> bool:
    selectors = template.parse(text).selectors
    return any(selector[0] == _ENVIRONMENT and pool.kind(*selector[:2]) == "secret" for selector in selectors)


def _is_authors(text: str) -> bool:
    """It is something, and nothing in it comes from outside of the graph and its environment."""
    return bool(text) and all(selector[0] == _ENVIRONMENT for selector in template.parse(text).selectors)


def _check_origin(url: str, pool: VariablePool) -> None:
    """Raises InvalidParam when who runs the graph could choose the host."""
    begun = ""
    for segment in template.parse(url).segments:
        if _ORIGIN_END.search(begun.partition("://")[2]):
            return
        if isinstance(segment, str):
            begun += segment
        elif segment[0] == _ENVIRONMENT:
            begun += template.render_reference(segment, pool)
        else:
            told = f"The request sends a credential, and {'.'.join(segment)} could choose to whom. "
            raise InvalidParam(f"{told}Write the host into the URL, or into an environment variable.", params="url")


def _trace(call: HttpCall, shown: str, secret: Mapping[str, str], hidden: frozenset[str]) -> str:
    """The request as text. Credentials are stars, wherever they stand."""
    query = "&".join(f"{name}={value}" for name, value in call.params)
    url = call.url + (f"{'&' if '?' in call.url else '?'}{query}" if query else "")
    lines = [f"{call.method} {url}"]
    for name, value in call.headers:
        private = name in secret or _CREDENTIAL_NAME.search(name)
        lines.append(f"{name}: {STARS if private else value}")
    cut = shown if len(shown) <= _SHOWN_BODY else f"{shown[:_SHOWN_BODY]}…"
    text: Any = masked("\r\n".join(lines) + "\r\n\r\n" + cut, {*hidden, *secret.values(), *map(_bare, secret.values())})
    return str(text)


def _bare(presented: str) -> str:
    """The key without its scheme."""
    return presented.rpartition(" ")[2]
