"""Callers are told that their runs have ended: signed, tried again for a while, and every attempt is written down."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.models import RunStatus
from difyproj.infra import jobs, loop
from difyproj.infra.egress import egress
from difyproj.kernel import clock, jsonio
from difyproj.kernel.egress_errors import EgressFailed, EgressRefused
from difyproj.kernel.errors import DomainError
from difyproj.kernel.http import Timeout
from workflows.models import CallbackDelivery, DeliveryStatus, WorkflowRun

from . import webhook_calls

KIND: Final = "workflows.callback"
EVENT: Final = "workflow_finished"
TIMES: Final = Timeout(connect=5, read=10, total=20)
BATCH: Final = 200
LOGGED: Final = 20
UNFINISHED: Final = (RunStatus.RUNNING, RunStatus.PAUSED)


class NotTaken(DomainError):
    """The receiver did not take the message; ``may_help`` says whether another attempt can end otherwise."""

    def __init__(self, message: str, *, may_help: bool) -> None:
        super().__init__(message)
        self.may_help = may_help


def signing_key(app_id: UUID) -> str:
    """The key that signs the callbacks of an app's runs; its receivers check them with it."""
    own = hmac.digest(settings.SECRET_KEY.encode(), b"callbacks\0" + app_id.bytes, "sha256")
    return own.hex()


def hand_over() -> int:
    """Have the ends of runs told that nobody has handed to a worker yet; how many. Each once, however many look."""
    ended = CallbackDelivery.objects.filter(status=DeliveryStatus.WAITING).exclude(run__status__in=UNFINISHED)
    return sum(_hand_over(row) for row in ended.order_by("created_at").only("pk", "tenant_id")[:BATCH])


@transaction.atomic
def _hand_over(row: CallbackDelivery) -> bool:
    waiting = CallbackDelivery.objects.filter(pk=row.pk, status=DeliveryStatus.WAITING)
    if not waiting.update(status=DeliveryStatus.SENDING):
        return False
    jobs.enqueue(KIND, row.pk, tenant_id=row.tenant_id, unique=True)
    return True


def send(delivery_id: UUID | str, *, is_last: bool) -> int | None:
    """One attempt; the receiver's status, None when there is nothing (any more) to send. In a job's thread.

    Raises NotTaken; the delivery has failed with the last, and with one that cannot be made again.
    """
    row = CallbackDelivery.objects.filter(pk=delivery_id).exclude(status=DeliveryStatus.DELIVERED).first()
    if row is None:
        return None
    body, began, status = jsonio.dumps(message(row)), clock.monotonic(), 0
    error, may_help = "", True
    try:
        status = asyncio.run_coroutine_threadsafe(_post(row, body), loop.current()).result()
    except (EgressRefused, EgressFailed) as failure:
        error, may_help = failure.message, failure.retryable
    is_taken = 200 <= status < 300
    if not is_taken and not error:
        error = f"The receiver answered with {status}."
    seconds = round(clock.monotonic() - began, 3)
    _note(row, is_taken, is_over=is_taken or is_last or not may_help, attempt=(status, error, seconds))
    if not is_taken:
        raise NotTaken(error, may_help=may_help)
    return status


def message(row: CallbackDelivery) -> dict[str, Any]:
    """What the receiver reads. ``data`` is that of the event with which the run's stream ended."""
    flow = WorkflowRun.objects.select_related("run").get(pk=row.run_id)
    run = flow.run
    return {
        "event": EVENT,
        "task_id": str(run.pk),
        "workflow_run_id": str(run.pk),
        "data": {
            "id": str(run.pk),
            "workflow_id": str(flow.workflow_id),
            "status": run.status,
            "outputs": flow.outputs,
            "error": run.error or None,
            "elapsed_time": run.elapsed_time,
            "total_tokens": run.total_tokens,
            "total_steps": flow.total_steps,
            "exceptions_count": flow.exceptions_count,
            "created_at": clock.epoch(run.created_at),
            "finished_at": clock.epoch(run.finished_at) if run.finished_at else None,
        },
    }


async def _post(row: CallbackDelivery, body: bytes) -> int:
    """Redirects are not followed: the message goes where the caller said, or nowhere."""
    stamp = str(int(clock.now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        "X-Delivery": str(row.pk),
        "X-Timestamp": stamp,
        "X-Signature": webhook_calls.signature(signing_key(row.app_id), stamp, body),
    }
    async with egress().open("POST", row.url, headers=headers, data=body, timeout=TIMES, max_redirects=0) as answer:
        return answer.status


def _note(row: CallbackDelivery, is_taken: bool, *, is_over: bool, attempt: tuple[int, str, float]) -> None:
    status, error, seconds = attempt
    line = {"at": clock.now().isoformat(), "status": status, "error": error, "seconds": seconds}
    changes: dict[str, Any] = {"attempts": row.attempts + 1, "log": [*row.log, line][-LOGGED:]}
    if is_taken:
        changes |= {"status": DeliveryStatus.DELIVERED, "delivered_at": clock.now()}
    elif is_over:
        changes["status"] = DeliveryStatus.FAILED
    CallbackDelivery.objects.filter(pk=row.pk).update(**changes)
