"""How a generation is answered in every tier: as a stream of records or as one body, and a stream again from any id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from difyproj.kernel import ids
from difyproj.kernel.principal import Principal
from difyproj.tiers.actions import Deferred
from difyproj.tiers.streaming import EventStream

from . import records

STREAM = (
    "Server-sent events. Each frame is `data: ` and one JSON record of this schema on one line, then `id: ` and its number, "
    "which `Last-Event-ID` takes; `event: ping` alone every 10 seconds."
)
FOLLOWED = "The stream of the POST that began the run, from the wished id on."
ATTACHED = "What happens from now on; with a snapshot all from the beginning. Of a run that is over its end alone."
REPLY = f"`response_mode` blocking: the whole answer. `response_mode` streaming: {STREAM}"
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID", int, OpenApiParameter.HEADER, description="The last id that was seen; wins over `after`."
)

Check = Callable[[], bool]


async def respond(
    principal: Principal, run_id: UUID, *, streaming: bool, allowed: Check | None = None
) -> EventStream | Response:
    """``allowed`` is asked again and again while a stream is open (see ``EventStream``)."""
    subscription = await generation.subscribe(principal, run_id)
    if streaming:
        return EventStream(subscription, allowed=allowed)
    return Response(await subscription.whole())


def follow(principal: Principal, task_id: str, *, after: int, allowed: Check | None = None) -> Deferred:
    """The principal's own run again, from the records above ``after``. Raises RunNotFound."""
    key = ids.parse(task_id)
    if key is None:
        raise generation.RunNotFound

    async def stream() -> EventStream:
        return EventStream(await generation.subscribe(principal, key, after=after), allowed=allowed)

    return Deferred(stream)


def attach(
    request: Request, principal: Principal, run_id: str, fields: Mapping[str, Any], *, allowed: Check | None = None
) -> Deferred:
    """The principal's own run for a reader who comes later: as it goes on, or with a snapshot from its beginning; exactly
    behind ``Last-Event-ID``, where the header is given. ``fields`` are of ``requests.AttachFields``. Raises RunNotFound."""
    key = ids.parse(run_id)
    if key is None:
        raise generation.RunNotFound
    snapshot, continue_on_pause = fields["include_state_snapshot"], fields["continue_on_pause"]
    after = last_event_id(request, 0)

    async def stream() -> EventStream:
        if after:
            found = await generation.subscribe(principal, key, after=after, continue_on_pause=continue_on_pause)
        else:
            found = await generation.attach(principal, key, snapshot=snapshot, continue_on_pause=continue_on_pause)
        return EventStream(found, allowed=allowed)

    return Deferred(stream)


def begun(run_id: UUID, url: str) -> Response:
    """Of a run that nobody waits for."""
    body = {"task_id": str(run_id), "workflow_run_id": str(run_id), "url": url, "status": "running"}
    return Response(body, status=202, headers={"Location": url})


def stop(principal: Principal, task_id: str) -> Response:
    """Always a success: a task that is unknown, over or somebody else's is left alone."""
    key = ids.parse(task_id)
    if key is not None:
        generation.stop(principal, key)
    return Response(records.SUCCESS)


def reply_responses(record: type[records.Shape], stream: PolymorphicProxySerializer) -> dict[Any, Any]:
    return {
        (200, "application/json"): OpenApiResponse(record, description=REPLY),
        (200, "text/event-stream"): OpenApiResponse(stream, description=REPLY),
    }


def last_event_id(request: Request, after: int) -> int:
    """The header of a reconnecting EventSource wins over the query."""
    header = request.headers.get("Last-Event-ID", "")
    return int(header) if header.isascii() and header.isdigit() and len(header) < 19 else after
