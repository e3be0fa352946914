"""From an app's prompt settings and a question to the prompt of one model call.

Simple prompts: instructions become the system message and the question the user's; without a question the instructions
are what the user says. Advanced prompts: the app's own messages, then the conversation, then the question. Models with
the text wire get one user message that holds everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from apps.config import AppConfig
from difyproj.model_runtime.messages import PromptMessage, Role
from workflows.engine import template
from workflows.engine.prompt import PreparedPrompt, Transcript

from .mode import Turn

HISTORIES: Final = "{{#histories#}}"
CONTEXT: Final = (
    "Text that was found for this question stands between the context tags. Take it as what you know.\n\n"
    "<context>\n{context}\n</context>\n\n"
    "- Answer from the context where it helps, in the language of the question.\n"
    "- Say that you do not know when you do not, and ask when the question is not clear.\n"
    "- Do not mention the context or that you were given one.\n\n"
)
OPENING: Final = "The conversation so far stands between the histories tags.\n\n<histories>\n"
CLOSING: Final = "\n</histories>\n\n"
SIMPLE_STOPS: Final = ("\nHuman:", "</histories>")


class Prompt(NamedTuple):
    """``stop`` are words of the prompt's own form; ``remembers`` says whether the conversation may go in."""

    prepared: PreparedPrompt
    stop: tuple[str, ...] = ()
    remembers: bool = True


def prepare(config: AppConfig, turn: Turn, *, conversation: bool) -> Prompt:
    """The prompt of a call. ``conversation`` is true for modes whose questions continue one another."""
    texts = config.model.mode == "completion"
    if config.prompt_type == "advanced":
        return _advanced_text(config, turn) if texts else _advanced_messages(config, turn)
    return _simple_text(config, turn, conversation=conversation) if texts else _simple_messages(config, turn)


def _instructions(config: AppConfig, turn: Turn) -> str:
    """The filled-in pre-prompt, after the context unless the pre-prompt has a place for it, and the caller's own behind it."""
    text = template.fill(config.pre_prompt, turn.inputs, {"#context#": turn.context})
    if turn.context and "{{#context#}}" not in config.pre_prompt:
        text = CONTEXT.replace("{context}", turn.context) + text
    return "\n\n".join(filter(None, (text, turn.instructions)))


def _simple_messages(config: AppConfig, turn: Turn) -> Prompt:
    text = _instructions(config, turn)
    if not turn.query.strip():
        return Prompt(PreparedPrompt(after=_said(Role.USER, text)))
    return Prompt(PreparedPrompt(_said(Role.SYSTEM, text), _said(Role.USER, turn.query)))


def _simple_text(config: AppConfig, turn: Turn, *, conversation: bool) -> Prompt:
    text = _instructions(config, turn)
    if not conversation:
        head = f"{text}\n\n{turn.query}" if text and turn.query else text or turn.query
        return Prompt(PreparedPrompt(after=_said(Role.USER, head)), remembers=False)
    head = f"{text}\n\n" if text else ""
    tail = f"Human: {turn.query}\n\nAssistant: "
    return Prompt(PreparedPrompt(transcript=Transcript(head, tail, OPENING, CLOSING)), SIMPLE_STOPS)


def _advanced_messages(config: AppConfig, turn: Turn) -> Prompt:
    rows = config.chat_prompt_config.prompt
    special = {"#context#": turn.context, "#query#": turn.query, "#histories#": ""}
    before = [PromptMessage(Role(row.role), template.fill(row.text, turn.inputs, special)) for row in rows]
    place = next((at for at, message in enumerate(before) if message.role is not Role.SYSTEM), len(before))
    before[place:place] = _said(Role.SYSTEM, turn.instructions)
    asked = any("#query#" in template.variables(row.text) for row in rows)
    return Prompt(PreparedPrompt(tuple(before), () if asked else _said(Role.USER, turn.query)))


def _advanced_text(config: AppConfig, turn: Turn) -> Prompt:
    settings = config.completion_prompt_config
    head, place, tail = settings.prompt.text.partition(HISTORIES)
    special: Mapping[str, Any] = {"#context#": turn.context, "#query#": turn.query, "#histories#": ""}
    preface = f"{turn.instructions}\n\n" if turn.instructions else ""
    if not place:
        whole = preface + template.fill(head, turn.inputs, special)
        return Prompt(PreparedPrompt(after=_said(Role.USER, whole)), remembers=False)
    roles = settings.conversation_histories_role
    filled = Transcript(
        preface + template.fill(head, turn.inputs, special),
        template.fill(tail, turn.inputs, special),
        user_prefix=roles.user_prefix,
        assistant_prefix=roles.assistant_prefix,
    )
    return Prompt(PreparedPrompt(transcript=filled))


def _said(role: Role, text: str) -> tuple[PromptMessage, ...]:
    return (PromptMessage(role, text),) if text.strip() else ()
