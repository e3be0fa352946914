"""Rows of the workflows room: graphs and their versions, runs and their traces, what waits and what starts a run."""

from .callback_delivery import CallbackDelivery, DeliveryStatus
from .conversation_variable import ConversationVariable
from .draft_variable import DraftVariable
from .human_input_form import FormStatus, HumanInputForm
from .node_execution import ExecutedFrom, NodeExecution, NodeStatus
from .run import RunEventRow, TriggeredFrom, WorkflowRun
from .trigger import Trigger, TriggerKind
from .workflow import DRAFT, Workflow

__all__ = [
    "DRAFT",
    "CallbackDelivery",
    "ConversationVariable",
    "DeliveryStatus",
    "DraftVariable",
    "ExecutedFrom",
    "FormStatus",
    "HumanInputForm",
    "NodeExecution",
    "NodeStatus",
    "RunEventRow",
    "Trigger",
    "TriggerKind",
    "TriggeredFrom",
    "Workflow",
    "WorkflowRun",
]
