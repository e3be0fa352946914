"""This process's event log, speaking run events."""

from __future__ import annotations

from difyproj.infra.backends import get_event_log
from difyproj.infra.event_log import EventLog
from workflows.engine import events
from workflows.engine.events import RunEvent


def event_log() -> EventLog[RunEvent]:
    return get_event_log(events.encode, events.decode)
