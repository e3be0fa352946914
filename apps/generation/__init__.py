"""The one door: everything that generates goes through here. Its inside is nobody else's business.

Runs: ``generate``, ``subscribe``, ``attach``, ``stop`` and, for operators, ``stop_all``; ``submit_form`` answers what a paused
run asks; webhooks ``fire``; jobs ``run_to_end``, and ``execute`` what waits for a worker. One node of a draft: ``plan_node``
with database access, then ``run_node``.
One-shot model calls: a ``plan_...`` with database access, then its coroutine.
"""

from workflows.engine.node import HistoryTurn

from .background import Background
from .cooling import cooling_seconds
from .embedding import embed, embedding_model, plan_embedding
from .given_files import kept as kept_files
from .given_files import value_of as file_value
from .graph_past import principal_of as asker_of
from .graph_resume import submit as submit_form
from .invoke import (
    ask_questions,
    plan_questions,
    plan_speech,
    plan_title,
    plan_transcript,
    speak,
    transcribe,
    voices,
    write_title,
)
from .node_run import NodeNotFound
from .node_run import answered as answer_node
from .node_run import plan as plan_node
from .node_run import run as run_node
from .node_stream import NodeStream
from .openai_wire import ChatCompletionWire
from .request import DRAFT, PUBLISHED, FileInput, GenerateRequest, Once
from .service import begun_with, generate, stop, stop_all
from .subscription import RunNotFound, Subscription, attach, subscribe
from .triggered import fire, trigger_user
from .wire import for_visitors
from .workers import execute, run_to_end

__all__ = [
    "DRAFT",
    "PUBLISHED",
    "Background",
    "ChatCompletionWire",
    "FileInput",
    "GenerateRequest",
    "HistoryTurn",
    "NodeNotFound",
    "NodeStream",
    "Once",
    "RunNotFound",
    "Subscription",
    "answer_node",
    "ask_questions",
    "asker_of",
    "attach",
    "begun_with",
    "cooling_seconds",
    "embed",
    "embedding_model",
    "execute",
    "file_value",
    "fire",
    "for_visitors",
    "generate",
    "kept_files",
    "plan_embedding",
    "plan_node",
    "plan_questions",
    "plan_speech",
    "plan_title",
    "plan_transcript",
    "run_node",
    "run_to_end",
    "speak",
    "stop",
    "stop_all",
    "submit_form",
    "subscribe",
    "transcribe",
    "trigger_user",
    "voices",
    "write_title",
]
