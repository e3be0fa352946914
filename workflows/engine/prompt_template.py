"""The prompt of a node as its author wrote it: messages, or one text for completion models, with references in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime.messages import PromptMessage, Role, TextPart

from . import template
from .model_call import parts_of
from .model_config import Memory
from .node import NodeContext
from .pool import MISSING, VariablePool
from .prompt import PreparedPrompt, Transcript
from .values import files_of, is_list, to_text

HISTORIES = "{{#histories#}}"
LONGEST_PARAMETER = 1024
_SPECIAL = re.compile(r"\{\{#(context|query)#\}\}")
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?")


class PromptTemplate(msgspec.Struct, frozen=True):
    """One message. ``edition_type`` other than ``basic`` is refused when the node runs."""

    text: str = ""
    role: Role = Role.USER
    edition_type: str | None = None


@dataclass(frozen=True, slots=True)
class Filler:
    """Puts values into the texts of one node. A reference to nothing is an error here."""

    ctx: NodeContext[Any]
    context: Any = None
    query: str | None = None
    detail: str = "high"

    def text(self, raw: str) -> str:
        pieces = _SPECIAL.split(raw)
        return "".join(self._special(piece) if at % 2 else self._plain(piece) for at, piece in enumerate(pieces))

    async def message(self, row: PromptTemplate) -> PromptMessage:
        """The message; files that the text of a user's message refers to stand behind it."""
        text = self.text(row.text)
        found = [file for selector in template.parse(row.text).selectors for file in files_of(self.ctx.pool.get(selector))]
        if not found or row.role is not Role.USER:
            return PromptMessage(row.role, text)
        parts = await parts_of(self.ctx, found, detail=self.detail)
        own = (TextPart(text),) if text.strip() else ()
        return PromptMessage(row.role, (*own, *parts)) if parts else PromptMessage(row.role, text)

    def _plain(self, raw: str) -> str:
        parsed = template.parse(raw)
        for selector in parsed.selectors:
            _demand(self.ctx.pool, selector)
        return parsed.render(self.ctx.pool)

    def _special(self, name: str) -> str:
        if name == "context":
            return context_text(self.context)
        return self._plain(self.query or "{{#sys.query#}}")


async def prepare(rows: Sequence[PromptTemplate] | PromptTemplate, filler: Filler, memory: Memory | None) -> PreparedPrompt:
    """The prompt with values in place, ready for the conversation."""
    if isinstance(rows, PromptTemplate):
        _demand_basic([rows])
        return _one_text(rows.text, filler, memory)
    _demand_basic(rows)
    before = tuple([await filler.message(row) for row in rows])
    if memory is None:
        return PreparedPrompt(before)
    return PreparedPrompt(before, (await filler.message(PromptTemplate(memory.query_prompt_template or "{{#sys.query#}}")),))


def parameters(pool: VariablePool, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The model's parameters; texts may refer to values, and read as numbers and truths where they are such."""
    return {name: _parameter(pool, value) if isinstance(value, str) else value for name, value in (given or {}).items()}


def context_text(value: Any) -> str:
    """Retrieved knowledge as text: a string, or one item a line, each with its summary before it."""
    return "\n".join(_item_text(item) for item in value) if is_list(value) else to_text(value)


def context_files(value: Any) -> list[Mapping[str, Any]]:
    """The files that came with retrieved knowledge."""
    items = [item for item in value if isinstance(item, Mapping)] if is_list(value) else []
    return [file for item in items for file in files_of(item.get("files"))]


def _item_text(item: Any) -> str:
    if not isinstance(item, Mapping) or "content" not in item:
        return to_text(item)
    summary, content = to_text(item.get("summary")), to_text(item["content"])
    return f"{summary}\n{content}" if summary else content


def _one_text(raw: str, filler: Filler, memory: Memory | None) -> PreparedPrompt:
    """One user message; the conversation stands where the text says, else before it."""
    head, mark, tail = raw.partition(HISTORIES)
    if memory is None:
        return PreparedPrompt((PromptMessage(Role.USER, filler.text(head) + filler.text(tail)),))
    user, assistant = memory.names
    if not mark:
        return PreparedPrompt(transcript=Transcript("", filler.text(raw), "", "\n", user, assistant))
    return PreparedPrompt(transcript=Transcript(filler.text(head), filler.text(tail), "", "", user, assistant))


def _parameter(pool: VariablePool, value: str) -> Any:
    parsed = template.parse(value)
    if not parsed.selectors:
        return value
    for selector in parsed.selectors:
        _demand(pool, selector, "model.completion_params")
    text = parsed.render(pool)[:LONGEST_PARAMETER]
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _demand(pool: VariablePool, selector: template.Selector, field: str = "prompt_template") -> None:
    if pool.get(selector, MISSING) is MISSING:
        raise InvalidParam(f"The prompt refers to {'.'.join(selector)}, which does not exist.", params=field)


def _demand_basic(rows: Sequence[PromptTemplate]) -> None:
    if any(row.edition_type not in (None, "", "basic") for row in rows):
        raise InvalidParam("The prompt is written in a template language that is not available.", params="prompt_template")
