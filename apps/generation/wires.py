"""Which translation the readers of a run get, by its mode."""

from __future__ import annotations

from collections.abc import Callable

from .request import Reply
from .wire import MessageWire, Wire
from .wire_chatflow import ChatflowWire
from .wire_workflow import WorkflowWire

_WIRES: dict[str, Callable[[Reply], Wire]] = {"workflow": WorkflowWire, "advanced-chat": ChatflowWire}


def wire_of(reply: Reply) -> Wire:
    return _WIRES.get(reply.mode, MessageWire)(reply)
