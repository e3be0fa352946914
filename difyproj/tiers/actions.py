"""Actions with an asynchronous half: the view does its row work in its thread, then hands the rest to the loop."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.infra import db
from difyproj.kernel.errors import DomainError, ServiceUnavailable

logger = logging.getLogger("dify.api")

RETRY_AFTER_SECONDS = 1.0
FINISH_SECONDS = 5.0

Work = Callable[[], Awaitable[HttpResponseBase]]


class Deferred:
    """What a view method returns when the answer needs the loop. ``work`` runs after the thread and its connection are free."""

    def __init__(self, work: Work) -> None:
        self.work = work


class PendingResponse(HttpResponse):
    """The place of an answer whose asynchronous half has not run yet. Only the kit's handler sees it."""

    def __init__(self, view: AsyncAction, request: Request, work: Work, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self._view, self._request, self._work, self._args, self._kwargs = view, request, work, args, kwargs

    async def resolve(self) -> HttpResponseBase:
        """Run the asynchronous half; what it answers is finished and rendered in a thread, where rows may be written.

        A database that was lost on the way is a 503, and finishing frees what the request held.
        """
        response: HttpResponseBase
        try:
            response = await self._work()
        except DomainError as error:
            response = self._view.handle_exception(error)
        except (OperationalError, InterfaceError):
            logger.warning("The database was lost while answering %s", self._request.path, exc_info=True)
            response = self._view.handle_exception(ServiceUnavailable(retry_after=RETRY_AFTER_SECONDS))
        except BaseException:
            await db.run(self._view.release)
            raise
        if isinstance(response, Response):
            return await db.run_persistently(FINISH_SECONDS, self._finish, response)
        return response

    def _finish(self, response: Response) -> HttpResponseBase:
        finished: Response = self._view.finalize_response(self._request, response, *self._args, **self._kwargs)
        return finished.render()


class AsyncAction:
    """Mixin for viewsets whose methods may return ``Deferred``."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(response, Deferred):
            return PendingResponse(self, request, response.work, args, kwargs)
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]

    def release(self) -> None:
        """Give back what the request holds, when it breaks off without an answer of the view's. Must not raise."""

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(exc)  # type: ignore[misc]
