"""The ASGI handler of the API tiers: a short chain, views in the bounded pool, streams that hold no thread.

Django's own handler hops into a thread per middleware and per signal receiver and keeps that thread while a stream is open;
here only the view's synchronous half enters the database pool (measurements: docs/decisions/0007-api-path.md).
"""

from __future__ import annotations

import asyncio
import io
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import ExitStack, aclosing
from typing import IO, Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from apps.services import sites
from difyproj.infra import db
from difyproj.kernel import errors

from . import access_log, cors, safe_headers
from .actions import RETRY_AFTER_SECONDS, PendingResponse
from .error_shapes import for_path
from .errors import HttpError, plain_response
from .streaming import EventStream

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

logger = logging.getLogger("dify.api")

MEMORY_BODY = 1024 * 1024
BODILESS = (204, 304)
SAFE_METHODS = ("GET", "HEAD")


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class ApiHandler:
    """ASGI application for every URL of the API tiers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        log = access_log.begin(scope)
        with ExitStack() as opened:
            try:
                response = await self._answer(scope, receive, log, opened)
            except ClientGone:
                return
            await self._give(response, receive, send, log)

    async def _give(self, response: HttpResponseBase, receive: Receive, send: Send, log: access_log.Entry) -> None:
        safe = safe_headers.of(log.endpoint)
        for name, value in (*safe.items(), *log.cors_headers().items(), *log.response_headers().items()):
            response.headers.setdefault(name, value)
        try:
            await self._send(response, receive, send)
        finally:
            response.close()
            log.complete(response.status_code)

    async def _answer(self, scope: Scope, receive: Receive, log: access_log.Entry, opened: ExitStack) -> HttpResponseBase:
        """``opened`` gets what must be closed once the answer is out: the body and the uploads read from it."""
        try:
            if scope["method"] == "OPTIONS":
                return await self._preflight(log)
            body, size = await read_body(scope, receive)
            opened.callback(body.close)
            request = ASGIRequest(scope, body)
            opened.callback(request.close)
            # A chunked body says nothing of its length, and parsers take a missing length for no body.
            request.META["CONTENT_LENGTH"] = str(size)
            request.access_log = log  # type: ignore[attr-defined]
            response = await self._row_work(request)
            if isinstance(response, PendingResponse):
                response = await response.resolve()
        except errors.DomainError as error:
            return plain_response(error, for_path(scope["path"]))
        except (OperationalError, InterfaceError):
            logger.warning("The database was lost while answering %s", scope["path"], exc_info=True)
            return plain_response(errors.ServiceUnavailable(retry_after=RETRY_AFTER_SECONDS), for_path(scope["path"]))
        except (ClientGone, asyncio.CancelledError):
            raise
        except Exception:
            logger.exception("Unhandled exception while answering %s", scope["path"])
            return plain_response(errors.InternalError(), for_path(scope["path"]))
        return response

    async def _preflight(self, log: access_log.Entry) -> HttpResponse:
        """A browser asks before it shows its passport, so that no site can answer yet: who is named by any may go on."""
        if cors.is_web(log.endpoint) and log.origin and await db.run(sites.names_origin, log.origin):
            log.site_origins = [log.origin]
        return HttpResponse(status=204, headers={"Allow": cors.METHODS})

    async def _row_work(self, request: ASGIRequest) -> HttpResponseBase:
        """The view; once more when its database connection was lost and nothing speaks against doing it twice."""
        try:
            return await db.run(self._view, request)
        except (OperationalError, InterfaceError):
            if not _repeats_safely(request):
                raise
            logger.warning("The database was lost while answering %s, once more", request.path)
        return await db.run(self._view, request)

    def _view(self, request: ASGIRequest) -> HttpResponseBase:
        """Route, run and render, in a thread of the pool."""
        try:
            match = resolve(request.path_info)
        except Resolver404 as error:
            raise errors.NotFound("The requested URL was not found on the server.") from error
        request.resolver_match = match
        safe_headers.give_nonce(request)
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        if not getattr(response, "is_rendered", True):
            response.render()  # type: ignore[attr-defined]
        safe_headers.guard_page(request, response)
        return response

    async def _send(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        headers = [(name.encode("latin-1").lower(), value.encode("latin-1")) for name, value in response.items()]
        if not response.streaming and "Content-Length" not in response.headers and response.status_code not in BODILESS:
            headers.append((b"content-length", str(len(response.content)).encode()))  # type: ignore[attr-defined]
        headers.extend((b"set-cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values())
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        if not response.streaming:
            await send({"type": "http.response.body", "body": response.content})  # type: ignore[attr-defined]
        else:
            await self._stream(_parts(response), receive, send)

    async def _stream(self, parts: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
        """Send what comes until it ends or the client goes; either way the parts are closed."""
        sending = asyncio.ensure_future(_send_parts(parts, send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            sending.cancel()
            results = await asyncio.gather(sending, gone, return_exceptions=True)
        for cause in results:
            if isinstance(cause, Exception):
                logger.error("A response stream broke off", exc_info=cause)


def _repeats_safely(request: ASGIRequest) -> bool:
    """What was read of the body must be in memory, too."""
    view = request.resolver_match.func if request.resolver_match else None
    allowed = getattr(getattr(view, "cls", None), "repeats_safely", False) and hasattr(request, "_body")
    return request.method in SAFE_METHODS or allowed


def _parts(response: Any) -> AsyncIterator[bytes]:
    """What a streaming response sends. An event stream gives its frames itself: Django would wrap each in two generators."""
    return response.frames if isinstance(response, EventStream) else aiter(response)


async def _send_parts(parts: AsyncIterator[bytes], send: Send) -> None:
    async with aclosing(parts):  # type: ignore[type-var]
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(scope: Scope, receive: Receive) -> tuple[IO[bytes], int]:
    """The whole body, in memory while small, and its bytes. Raises a 413 above the largest upload that settings allow."""
    limit = settings.MAX_BODY_BYTES
    if int(dict(scope["headers"]).get(b"content-length", b"0") or 0) > limit:
        raise too_large()
    body: IO[bytes] = io.BytesIO()
    size, more = 0, True
    with ExitStack() as opened:
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise too_large()
            if size > MEMORY_BODY and isinstance(body, io.BytesIO):
                body = await asyncio.to_thread(_spill, body)
                opened.callback(body.close)
            body.write(chunk)
            more = message.get("more_body", False)
        body.seek(0)
        opened.pop_all()
    return body, size


def _spill(body: io.BytesIO) -> IO[bytes]:
    spilled = tempfile.TemporaryFile()  # noqa: SIM115  closed with the request
    spilled.write(body.getvalue())
    return spilled


def too_large() -> HttpError:
    return HttpError(413, "request_entity_too_large", "The request body is too large.")
