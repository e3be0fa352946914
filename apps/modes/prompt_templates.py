"""What an advanced prompt starts from: the same words that simple prompts are made of (prompts.py), with places to fill.

``{{#pre_prompt#}}`` is filled by whoever edits the prompt; the other places are filled at each question.
"""

from __future__ import annotations

from typing import Any, Final

from .prompts import CLOSING, CONTEXT, HISTORIES, OPENING, SIMPLE_STOPS

_PRE_PROMPT: Final = "{{#pre_prompt#}}"
_ROLES: Final = {"user_prefix": "Human", "assistant_prefix": "Assistant"}


def starting_prompt(*, conversation: bool, texts: bool, context: bool) -> dict[str, Any]:
    """The part of an app's configuration that holds the prompt, and its stop words.

    ``conversation`` for modes whose questions continue one another, ``texts`` for models that take one text instead of
    messages, ``context`` for apps with knowledge.
    """
    head = (CONTEXT.replace("{context}", "{{#context#}}") if context else "") + _PRE_PROMPT
    if not texts:
        role = "system" if conversation else "user"
        return {"chat_prompt_config": {"prompt": [{"role": role, "text": head}]}, "stop": []}
    prompt: dict[str, Any] = {"prompt": {"text": head}}
    if conversation:
        whole = f"{head}\n\n{OPENING}{HISTORIES}{CLOSING}Human: {{{{#query#}}}}\n\nAssistant: "
        prompt = {"prompt": {"text": whole}, "conversation_histories_role": dict(_ROLES)}
    return {"completion_prompt_config": prompt, "stop": list(SIMPLE_STOPS) if conversation else []}
