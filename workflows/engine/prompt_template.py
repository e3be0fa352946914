"""The prompt of a node as its author wrote it: messages, or one text for completion models, with references in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime.messages import PromptMessage, Role, TextPart

from . import jinja, template
from .model_call import parts_of
from .model_config import Memory
from .node import NodeContext
from .pool import MISSING, VariablePool
from .prompt import PreparedPrompt, Transcript
from .values import files_of, is_list, to_text

HISTORIES = "{{#histories#}}"
LONGEST_PARAMETER = 1024
_JINJA = "jinja2"
_EDITIONS = (None, "", "basic", _JINJA)
_SPECIAL = re.compile(r"\{\{#(context|query)#\}\}")
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?")


class PromptTemplate(msgspec.Struct, frozen=True):
    """One message. With ``edition_type`` ``jinja2`` its text is ``jinja2_text``; one not known is refused at the run."""

    text: str = ""
    role: Role = Role.USER
    edition_type: str | None = None
    jinja2_text: str | None = None


class JinjaVariable(msgspec.Struct, frozen=True):
    variable: str
    value_selector: tuple[str, ...] = ()


class PromptConfig(msgspec.Struct, frozen=True):
    """What Jinja2 texts know, by name."""

    jinja2_variables: list[JinjaVariable] | None = None


@dataclass(frozen=True, slots=True)
class Filler:
    """Puts values into the texts of one node. A reference to nothing is an error here."""

    ctx: NodeContext[Any]
    context: Any = None
    query: str | None = None
    detail: str = "high"
    config: PromptConfig | None = None

    def text(self, raw: str) -> str:
        pieces = _SPECIAL.split(raw)
        return "".join(self._special(piece) if at % 2 else self._plain(piece) for at, piece in enumerate(pieces))

    async def message(self, row: PromptTemplate) -> PromptMessage:
        """The message; files that the text of a user's message refers to stand behind it."""
        if row.edition_type == _JINJA:
            return PromptMessage(row.role, await self.jinja(row))
        text = self.text(row.text)
        found = [file for selector in template.parse(row.text).selectors for file in files_of(self.ctx.pool.get(selector))]
        if not found or row.role is not Role.USER:
            return PromptMessage(row.role, text)
        parts = await parts_of(self.ctx, found, detail=self.detail)
        own = (TextPart(text),) if text.strip() else ()
        return PromptMessage(row.role, (*own, *parts)) if parts else PromptMessage(row.role, text)

    async def jinja(self, row: PromptTemplate) -> str:
        known = (self.config.jinja2_variables if self.config else None) or ()
        values = {one.variable: _demand(self.ctx.pool, one.value_selector) for one in known}
        return await jinja.render(self.ctx.ports.sandbox, row.jinja2_text or row.text, values, field="prompt_template")

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
    for row in [rows] if isinstance(rows, PromptTemplate) else rows:
        if row.edition_type not in _EDITIONS:
            raise InvalidParam("The prompt is written in a template language that is not known.", params="prompt_template")
    if isinstance(rows, PromptTemplate):
        return await _one_text(rows, filler, memory)
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


async def _one_text(row: PromptTemplate, filler: Filler, memory: Memory | None) -> PreparedPrompt:
    """One user message; the conversation stands where the text says, else before it."""
    user, assistant = (memory or Memory()).names
    if row.edition_type == _JINJA:
        text = await filler.jinja(row)
        transcript = Transcript("", text, "", "\n", user, assistant)
    else:
        head, mark, tail = map(filler.text, row.text.partition(HISTORIES))
        text = head + tail
        transcript = Transcript(head if mark else "", tail if mark else text, "", "" if mark else "\n", user, assistant)
    return PreparedPrompt((PromptMessage(Role.USER, text),)) if memory is None else PreparedPrompt(transcript=transcript)


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


def _demand(pool: VariablePool, selector: template.Selector, field: str = "prompt_template") -> Any:
    value = pool.get(selector, MISSING)
    if value is MISSING:
        raise InvalidParam(f"The prompt refers to {'.'.join(selector)}, which does not exist.", params=field)
    return value
