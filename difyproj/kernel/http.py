"""The one egress client: every outbound HTTP call of the product goes through ``Egress``.

It decides at connect time, on the final socket address, whether a host may be reached (security rows D1 and D2).
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import TracebackType
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.resolver import ThreadedResolver
from multidict import CIMultiDict
from yarl import URL

from .addresses import AddressPolicy
from .clock import monotonic
from .egress_errors import EgressFailed, EgressRefused, EgressTimeout, EgressTooLarge, translated
from .egress_response import READ_LIMIT, Response
from .jsonio import dumps

__all__ = [
    "AddressPolicy",
    "Body",
    "Egress",
    "EgressFailed",
    "EgressRefused",
    "EgressResponse",
    "EgressTimeout",
    "EgressTooLarge",
    "FormPart",
    "Timeout",
]

_KEEP_ALIVE_SECONDS = 30.0
# A reader that falls behind holds twice this many bytes before the socket is left alone; one inflate step makes no more.
_BUFFER_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Framing belongs to the client: pooled connections are shared, so a caller's Content-Length could poison the next request,
# and a caller's Host could reach another site behind an allow-listed name.
_FRAMING = frozenset(
    {"host", "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade"}
)
_CREDENTIAL_NAME = re.compile(r"auth|cookie|credential|key|password|passwd|secret|session|signature|token", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Timeout:
    """Seconds. ``total`` bounds the whole exchange (None: unbounded), ``read`` the silence between two pieces."""

    connect: float = 10.0
    read: float | None = 120.0
    total: float | None = None


@dataclass(frozen=True, slots=True)
class FormPart:
    """One part of a multipart form; with ``filename`` it is a file."""

    name: str
    value: str | bytes = field(repr=False)
    filename: str | None = None
    content_type: str | None = None


Body = str | bytes | Mapping[str, str] | Sequence[FormPart] | AsyncIterable[bytes]
"""Raw bytes or text, a urlencoded form, a multipart form, or a stream (which cannot follow a redirect that repeats it)."""

Pairs = Mapping[str, str] | Sequence[tuple[str, str]]
"""Names and values; a sequence may repeat a name."""


class EgressResponse(Protocol):
    """``headers`` ignore case; ``url`` is the final one."""

    status: int
    headers: Mapping[str, str]
    url: str

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        """The whole decoded body. Raises EgressTooLarge above ``limit`` bytes."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body as it arrives: each piece is all that was waiting."""

    async def next(self) -> bytes:
        """The next piece; empty at the end."""

    def hold(self, seconds: float) -> None:
        """What arrives stays on the socket for so long; then it is the next piece."""


class _Attempt:
    """What the socket factory needs to know about the request it connects for."""

    __slots__ = ("host", "refused")

    def __init__(self, host: str) -> None:
        self.host = host
        self.refused = False


_attempt: ContextVar[_Attempt] = ContextVar("egress_attempt")


@dataclass(frozen=True, slots=True)
class _Call:
    """One hop of an exchange. Its repr shows nothing that may hold a credential."""

    method: str
    url: URL = field(repr=False)
    headers: CIMultiDict[str] = field(repr=False)
    data: Body | None = field(repr=False)
    secret: frozenset[str]
    timeout: Timeout
    verify_tls: bool


@dataclass(slots=True)
class _Pool:
    """One event loop's connections and the answers that are being read."""

    session: aiohttp.ClientSession
    responses: set[Response] = field(default_factory=set)


class _Exchange(AbstractAsyncContextManager[EgressResponse]):
    __slots__ = ("_call", "_egress", "_max_redirects", "_pool", "_response")

    def __init__(self, egress: Egress, call: _Call, max_redirects: int) -> None:
        self._egress = egress
        self._call = call
        self._max_redirects = max_redirects

    async def __aenter__(self) -> EgressResponse:
        self._pool = self._egress._pool()
        self._response = await self._egress._follow(self._pool.session, self._call, self._max_redirects)
        self._pool.responses.add(self._response)
        return self._response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.responses.discard(self._response)
        self._response.close()


class Egress:
    """A pooled client bound to one address policy; sessions are per event loop and made on first use.

    No cookie is kept, no proxy is read from the environment, and a status is never an error. Nothing is retried but a GET,
    HEAD, OPTIONS, PUT or DELETE whose connection was cut before any answer: once, since a pooled one may have gone stale.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()

    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Pairs | None = None,
        params: Pairs | None = None,
        json: Any = None,
        data: Body | None = None,
        timeout: Timeout = Timeout(),
        max_redirects: int = 0,
        verify_tls: bool = True,
        secret_headers: Collection[str] = (),
    ) -> AbstractAsyncContextManager[EgressResponse]:
        """``async with`` gives the response once its headers are here; leaving before the end closes the socket at once.

        ``secret_headers`` names headers that hold credentials, beyond those whose name says so: they are never sent on to
        another origin. Raises EgressRefused, EgressTimeout or EgressFailed; their text holds no header, query or body.
        """
        own = CIMultiDict(headers or ())
        if json is not None:
            data = dumps(json)
            own.setdefault("Content-Type", "application/json")
        call = _Call(
            method=method.upper(),
            url=_checked_url(url, params),
            headers=CIMultiDict((name, value) for name, value in own.items() if name.lower() not in _FRAMING),
            data=data,
            secret=frozenset(name.lower() for name in secret_headers),
            timeout=timeout,
            verify_tls=verify_tls,
        )
        return _Exchange(self, call, max_redirects)

    async def aclose(self) -> None:
        """Closes this loop's pooled connections and any open exchange, whose readers get EgressFailed."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            for response in tuple(pool.responses):
                response.close()
            await pool.session.close()

    async def _follow(self, session: aiohttp.ClientSession, call: _Call, max_redirects: int) -> Response:
        deadline = None if call.timeout.total is None else monotonic() + call.timeout.total
        for hop in range(max_redirects + 1):
            raw = await self._send(session, call)
            location = raw.headers.get("Location")
            if raw.status not in _REDIRECTS or location is None or max_redirects == 0:
                return Response(raw, call.timeout.read, deadline)
            Response(raw).close()
            if hop == max_redirects:
                break
            call = _redirected(call, raw.status, location)
            if deadline is not None:
                call = replace(call, timeout=replace(call.timeout, total=max(deadline - monotonic(), 0.001)))
        raise EgressFailed(f"{call.url.host} redirected more than {max_redirects} times.", retryable=False)

    async def _send(self, session: aiohttp.ClientSession, call: _Call) -> aiohttp.ClientResponse:
        attempt = _Attempt(call.url.raw_host or "")
        token = _attempt.set(attempt)
        try:
            async with asyncio.timeout(call.timeout.total):
                return await session.request(
                    call.method,
                    call.url,
                    headers=call.headers,
                    data=_payload(call.data),
                    allow_redirects=False,
                    ssl=call.verify_tls,
                    timeout=_client_timeout(call.timeout),
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if attempt.refused:
                raise EgressRefused(
                    f"{call.url.host} is not an address this server may connect to. Its operator can allow it (EGRESS_ALLOW)."
                ) from None
            raise translated(error, call.url.host or "") from None
        finally:
            _attempt.reset(token)

    def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
                resolver=ThreadedResolver(),
                socket_factory=self._guarded_socket,
            )
            session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "difyproj"},
                read_bufsize=_BUFFER_BYTES,
            )
            pool = self._pools[loop] = _Pool(session)
        return pool

    def _guarded_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The last step before connecting: ``info`` holds the very address that the socket will use."""
        family, kind, protocol, _, (address, port, *_) = info
        attempt = _attempt.get()
        if not self._policy.permits(attempt.host, address, port):
            attempt.refused = True
            raise PermissionError("refused by the address policy")
        return socket.socket(family=family, type=kind, proto=protocol)


@lru_cache(maxsize=256)
def _client_timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    """The whole exchange is timed here and in ``Response``: the library would do so anew for every piece."""
    return aiohttp.ClientTimeout(total=None, connect=timeout.connect, sock_read=timeout.read)


def _checked_url(text: str, params: Pairs | None) -> URL:
    try:
        url = URL(text)
        port = url.port
        return _checked(url.update_query(params) if params else url, port)
    except ValueError:
        raise EgressRefused("The URL is not valid.") from None


def _checked(url: URL, port: int | None) -> URL:
    if url.scheme not in ("http", "https"):
        raise EgressRefused("Only http and https URLs may be requested.")
    if url.raw_user is not None or url.raw_password is not None:
        raise EgressRefused("A URL may not hold a user name or password.")
    if not url.raw_host or not port:
        raise EgressRefused("The URL has no host or no valid port.")
    return url


def _redirected(call: _Call, status: int, location: str) -> _Call:
    """The next hop, without what belongs to the old origin. Raises EgressRefused where it may not be followed."""
    try:
        target = call.url.join(URL(location)).with_fragment(None)
        url = _checked(target, target.port)
    except ValueError:
        raise EgressRefused(f"{call.url.host} redirected to a URL that is not valid.") from None
    if call.url.scheme == "https" and url.scheme == "http":
        raise EgressRefused(f"{call.url.host} redirected from https to http.")
    headers = call.headers.copy()
    method, data = call.method, call.data
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, data = "GET", None
        for name in [name for name in headers if name.lower().startswith("content-")]:
            headers.popall(name, None)
    if isinstance(data, AsyncIterable):
        raise EgressRefused(f"{call.url.host} redirected a streamed upload, which cannot be sent twice.")
    if url.origin() != call.url.origin():
        if data is not None and url.raw_host != call.url.raw_host:
            raise EgressRefused(f"{call.url.host} redirected the request's body to another host.")
        for name in {name for name in headers if name.lower() in call.secret or _CREDENTIAL_NAME.search(name)}:
            headers.popall(name, None)
    return replace(call, method=method, url=url, headers=headers, data=data)


def _payload(data: Body | None) -> Any:
    if isinstance(data, Mapping):
        return aiohttp.FormData(dict(data))
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for part in data:
            value = part.value if part.filename is not None or isinstance(part.value, str) else part.value.decode()
            form.add_field(part.name, value, filename=part.filename, content_type=part.content_type)
        return form
    return data
