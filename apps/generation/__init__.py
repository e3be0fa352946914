"""The one door: everything that generates goes through here. Its inside is nobody else's business.

Runs: ``generate``, ``subscribe``, ``stop`` and, for operators, ``stop_all``.
One-shot model calls: a ``plan_...`` with database access, then its coroutine.
"""

from .background import Background
from .invoke import (
    ask_questions,
    plan_questions,
    plan_speech,
    plan_title,
    plan_transcript,
    speak,
    transcribe,
    write_title,
)
from .request import FileInput, GenerateRequest, Once
from .service import generate, stop, stop_all
from .subscription import RunNotFound, Subscription, subscribe

__all__ = [
    "Background",
    "FileInput",
    "GenerateRequest",
    "Once",
    "RunNotFound",
    "Subscription",
    "ask_questions",
    "generate",
    "plan_questions",
    "plan_speech",
    "plan_title",
    "plan_transcript",
    "speak",
    "stop",
    "stop_all",
    "subscribe",
    "transcribe",
    "write_title",
]
