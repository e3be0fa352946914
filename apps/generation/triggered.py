"""Runs that nobody asks for by hand: a webhook was called, a schedule is due."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db import Error as DatabaseError

from apps.services import end_users, tokens
from difyproj.kernel.errors import DomainError, InternalError, ServiceUnavailable, TooManyRequests
from difyproj.kernel.principal import ActorKind, Principal, Tier
from workflows.models import Trigger
from workflows.services import triggers

from . import service
from .request import GenerateRequest, Once

logger = logging.getLogger("dify.api")

USER_TYPE: Final = "trigger"


def trigger_user(trigger: Trigger) -> Principal:
    """In whose name the trigger's runs go: an end user of its app, who is the node."""
    user = end_users.resolve(trigger.app, trigger.node_id, type=USER_TYPE, anonymous=True)
    return Principal(trigger.tenant_id, ActorKind.END_USER, user.pk, Tier.SERVICE, trigger.app_id)


def fire(trigger: Trigger, inputs: Mapping[str, Any], *, once: Once | None = None) -> UUID:
    """Begin the run of the published graph at the trigger's node; its id. What became of it is noted.

    Raises what ``generate`` raises, and the refusals of an app or a workspace that answers nobody.
    """
    request = GenerateRequest(
        inputs=inputs, entry=trigger.node_id, triggered_from=trigger.kind, streaming=False, in_background=True
    )
    try:
        tokens.demand_open(trigger.tenant, trigger.app)
        run_id = service.generate(trigger_user(trigger), trigger.app, request, once=once)
    except DomainError as error:
        triggers.note_run(trigger, run_id=None, error=error.message)
        raise
    triggers.note_run(trigger, run_id=run_id)
    return run_id


def tick() -> int:
    """Begin the runs of the schedules that are due, each tick in one of all processes; how many began."""
    return sum(_begin(trigger) for trigger in triggers.claim_due())


def _begin(trigger: Trigger) -> bool:
    """The tick is the key of its run: whoever claims it again finds the run that began. Without room it waits."""
    once = Once(scope=f"schedule {trigger.pk}", key=f"{trigger.pending_at:%Y-%m-%dT%H:%M:%S.%f}", request_hash="")
    try:
        fire(trigger, {}, once=once)
    except (TooManyRequests, ServiceUnavailable):
        return False
    except DomainError as error:
        logger.warning("A schedule could not begin its run: %s", error, extra={"trigger_id": str(trigger.pk)})
        triggers.settle(trigger)
        return False
    except DatabaseError:
        raise
    except Exception:
        logger.exception("A schedule could not begin its run", extra={"trigger_id": str(trigger.pk)})
        triggers.note_run(trigger, run_id=None, error=InternalError.default_message)
        triggers.settle(trigger)
        return False
    triggers.settle(trigger)
    return True
