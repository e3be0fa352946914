"""``Idempotency-Key``: a POST repeated with its key has one effect and the same answer.

A generation keeps its key in the rows that begin it (the door does that); every other POST is wrapped here: the key is claimed
in a row of its own before the view works, and the answer is kept in that row.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from operator import itemgetter
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from apps.generation import Once
from difyproj.infra import db
from difyproj.infra.models import IdempotencyKey
from difyproj.kernel import clock
from difyproj.kernel.errors import Conflict, IdempotencyConflict, InvalidParam
from difyproj.kernel.principal import ActorKind, Principal

from .actions import Deferred

MAX_KEY_LENGTH = 255
# Longer than the longest call that a view waits for (a transcript, a title).
CLAIM_SECONDS = 300
WAIT_SECONDS = 10.0
POLL_SECONDS = 0.05
HEADER = "Idempotency-Key"


class Unanswered(Conflict):
    """The request that has the key gave no answer (yet)."""

    default_message = "The first request with this Idempotency-Key has no answer. Send it again."

    def __init__(self) -> None:
        super().__init__(retry_after=1)


def once(request: Request, principal: Principal) -> Once | None:
    """The request's key with its scope and hash, or None without the header. Raises InvalidParam for an unusable key."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not key.strip() or len(key) > MAX_KEY_LENGTH:
        raise InvalidParam(f"{HEADER} must have 1 to {MAX_KEY_LENGTH} characters.", params=HEADER)
    return Once(scope=_scope(principal), key=key.strip(), request_hash=_hash(request))


def _scope(principal: Principal) -> str:
    """An integrator's keys are its own for the whole app; people's keys are theirs alone."""
    place = str(principal.app_id or principal.tenant_id)
    is_person = principal.actor_kind in (ActorKind.ACCOUNT, ActorKind.END_USER)
    return f"{place} {principal.actor_id}" if is_person else place


def claim(held: Once, principal: Principal) -> Response | Deferred | None:
    """Claim the key for this request (None), or give the answer that it has already or gets in a moment.

    Raises IdempotencyConflict when the key belongs to another request.
    """
    now = clock.now()
    until = now + timedelta(seconds=CLAIM_SECONDS)
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(
                tenant_id=principal.tenant_id,
                scope=held.scope,
                key=held.key,
                request_hash=held.request_hash,
                state="pending",
                locked_until=until,
            )
        return None
    except IntegrityError:
        row = _find(held)
    if row is None:
        raise Unanswered
    if row.request_hash != held.request_hash or row.run_id is not None:
        raise IdempotencyConflict
    if row.state == "done":
        return _again(row)
    stale = IdempotencyKey.objects.filter(pk=row.pk, state="pending", locked_until__lt=now)
    return None if stale.update(locked_until=until) else Deferred(lambda: _wait(held))


async def _wait(held: Once) -> Response:
    """The answer of the request that has the key, once it is there. Raises Unanswered when it failed or takes long."""
    deadline = clock.monotonic() + WAIT_SECONDS
    while clock.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        row = await db.run(_find, held)
        if row is None:
            break
        if row.state == "done":
            return _again(row)
    raise Unanswered


def _find(held: Once) -> IdempotencyKey | None:
    return IdempotencyKey.objects.filter(scope=held.scope, key=held.key).first()


def _again(row: IdempotencyKey) -> Response:
    return Response(row.response_body, status=row.response_status, headers={"Idempotency-Replayed": "true"})


def keep(held: Once, response: Response) -> None:
    """Keep a successful answer under the key; a refused request frees the key for another try."""
    if response.status_code < 400:
        _claimed(held).update(state="done", response_status=response.status_code, response_body=response.data)
    else:
        free(held)


def free(held: Once) -> None:
    """Give the claimed key back: whoever sends it next is the first."""
    _claimed(held).delete()


def _claimed(held: Once) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(scope=held.scope, key=held.key, state="pending")


def _hash(request: Request) -> str:
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode())
    if (request.content_type or "").startswith("multipart/"):
        for name, values in sorted([*request.POST.lists(), *request.FILES.lists()], key=itemgetter(0)):
            digest.update(f"{name}\n".encode() + b"".join(_content(value) for value in values))
    else:
        digest.update(request._request.body)
    return digest.hexdigest()


def _content(value: Any) -> bytes:
    if not isinstance(value, UploadedFile):
        return str(value).encode()
    inner = hashlib.sha256(str(value.name).encode())
    for chunk in value.chunks():
        inner.update(chunk)
    value.seek(0)
    return inner.digest()
