"""Secrets of a graph's environment stay out of what is kept and shown of its nodes."""

from __future__ import annotations

import msgspec

from workflows.engine.events import NodeFinished, NodeRetried, RunEvent
from workflows.engine.masking import masked


def without_secrets(event: RunEvent, secrets: frozenset[str]) -> RunEvent:
    """The event as it may be seen. Outputs stay: what comes after the node is made of them, also in another process."""
    if not secrets:
        return event
    if isinstance(event, NodeRetried):
        return msgspec.structs.replace(event, error=masked(event.error, secrets))
    if isinstance(event, NodeFinished):
        return msgspec.structs.replace(
            event,
            inputs=masked(event.inputs, secrets),
            process_data=masked(event.process_data, secrets),
            error=masked(event.error, secrets),
        )
    return event
