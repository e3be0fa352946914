"""Which translation the readers of a run get, by its mode."""

from __future__ import annotations

from collections.abc import Callable

from .request import Reply
from .wire import MessageWire, Wire
from .wire_chatflow import ChatflowWire, EndedChatflowWire
from .wire_workflow import WorkflowWire

_WIRES: dict[str, Callable[[Reply], Wire]] = {"workflow": WorkflowWire, "advanced-chat": ChatflowWire}
_ENDED: dict[str, Callable[[Reply], Wire]] = {**_WIRES, "advanced-chat": EndedChatflowWire}


def wire_of(reply: Reply) -> Wire:
    return _WIRES.get(reply.mode, MessageWire)(reply)


def wire_of_ended(reply: Reply) -> Wire:
    """Of a run that was over when its reader came."""
    return _ENDED.get(reply.mode, MessageWire)(reply)
