"""What the demo model says: tool calls when asked plainly, JSON when asked for it, otherwise a short honest answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from difyproj.kernel import jsonio

from ..base import ModelRequest
from ..messages import DocumentPart, ImagePart, PromptMessage, Role, TextPart, ToolCall, ToolSpec
from ..wires.answer_format import schema_of, wants_json
from . import schemas, texts, words

QUOTE_LIMIT = 300
BEST_SENTENCES = 3
_CONTEXT_TAG = re.compile(r"</?context>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """Either text or tool calls; ``reasoning`` is only shown when thinking was switched on."""

    text: str = ""
    tool_calls: Sequence[ToolCall] = ()
    reasoning: str = ""


def reply(request: ModelRequest) -> Reply:
    asked = [message for message in request.messages if message.role is Role.USER]
    query = asked[-1].text.strip() if asked else "\n".join(message.text for message in request.messages).strip()
    reasoning = f"I look for the words {', '.join(words.terms(query)[:8]) or '(none)'} in what I was given."
    last = request.messages[-1] if request.messages else PromptMessage(Role.USER)
    if last.role is Role.TOOL:
        return Reply(_after_tools(request, query), reasoning=reasoning)
    calls = _tool_calls(request.tools, query)
    if calls:
        return Reply(tool_calls=calls, reasoning=reasoning)
    return Reply(_as_json(request, query) or _spoken(request, asked, query), reasoning=reasoning)


def topic(text: str) -> str:
    """A few telling words of the text, for titles."""
    plain = " ".join(text.split())
    if texts.is_wide(plain):
        return plain[:16]
    return " ".join(plain.strip("?!. ").split()[:6])[:60] or "New conversation"


def _as_json(request: ModelRequest, query: str) -> str:
    """Valid JSON where a schema, a parameter or the prompt asks for it, else nothing."""
    schema = schema_of(request)
    if schema is not None:
        return jsonio.dumps_text(schemas.instance(schema, query))
    rules = "\n".join(message.text for message in request.messages if message.role is not Role.ASSISTANT)
    subject = topic(_last_human(query))
    if _asks("array", rules):
        return jsonio.dumps_text([question.format(subject=subject) for question in texts.questions(subject)])
    system = "\n".join(message.text for message in request.messages if message.role is Role.SYSTEM) or query
    if wants_json(request) or (_asks("object", system) and _asks("title", system)):
        key = "title" if _asks("title", system) else "answer"
        return jsonio.dumps_text({key: subject if key == "title" else _spoken(request, (), query), "model": "demo"})
    return subject if _asks("title", system) and _is_naming(request) else ""


def _is_naming(request: ModelRequest) -> bool:
    """A one-shot request for a title: instructions and one message, no earlier answer."""
    system = any(message.role is Role.SYSTEM and _asks("title", message.text) for message in request.messages)
    return system and not any(message.role is Role.ASSISTANT for message in request.messages)


def _last_human(query: str) -> str:
    """The last thing a person said in a transcript such as ``Human: ...``, or the whole text."""
    lines = [line.partition(":")[2].strip() for line in query.splitlines() if line.lower().startswith(("human:", "user:"))]
    return lines[-1] if lines else query


def _asks(kind: str, text: str) -> bool:
    return re.search(texts.asked(kind), text, re.IGNORECASE) is not None


def _spoken(request: ModelRequest, asked: Sequence[PromptMessage], query: str) -> str:
    say = texts.said(query)
    paragraphs = [say["intro"]]
    tagged = _tagged(request)
    material = tagged or "\n".join(message.text for message in request.messages if message.role is Role.SYSTEM)
    found = _best(query, material)
    if found:
        paragraphs.append(say["context"] + "\n\n" + "\n".join(f"- {sentence}" for sentence in found))
    else:
        if tagged:
            paragraphs.append(say["nothing"])
        paragraphs.append(say["echo"].format(query=_short(query)))
    if len(asked) > 1:
        paragraphs.append(say["turn"].format(turn=len(asked), before=_short(asked[-2].text)))
    files = _files(asked[-1]) if asked else 0
    if files:
        paragraphs.append(say["files"].format(count=files))
    if not found:
        paragraphs.append(say["advice"])
    return "\n\n".join(paragraphs)


def _tagged(request: ModelRequest) -> str:
    """What stands between context tags anywhere in the prompt."""
    prompts = [message.text for message in request.messages if message.role in (Role.SYSTEM, Role.USER)]
    return "\n".join(found for prompt in prompts for found in _split(prompt)[1] if found.strip())


def _split(text: str) -> tuple[str, list[str]]:
    """The text without what stands between context tags, and each piece that does; in one pass, however many tags."""
    outside: list[str] = []
    inside: list[str] = []
    position = 0
    opened: re.Match[str] | None = None
    for tag in _CONTEXT_TAG.finditer(text):
        if not tag.group().startswith("</"):
            opened = opened or tag
        elif opened is not None:
            outside.append(text[position : opened.start()])
            inside.append(text[opened.end() : tag.start()])
            position, opened = tag.end(), None
    return " ".join([*outside, text[position:]]), inside


def _best(query: str, material: str) -> list[str]:
    """The sentences that share most words with the query, in their own order."""
    plain, _ = _split(query)
    rated = [(words.overlap(plain, sentence), at, sentence) for at, sentence in enumerate(words.sentences(material))]
    best = sorted((row for row in rated if row[0] > 0), key=lambda row: (-row[0], row[1]))[:BEST_SENTENCES]
    return [_short(sentence) for _, _, sentence in sorted(best, key=lambda row: row[1])]


def _files(message: PromptMessage) -> int:
    if isinstance(message.content, str):
        return 0
    return sum(1 for part in message.content if not isinstance(part, TextPart) and isinstance(part, ImagePart | DocumentPart))


def _after_tools(request: ModelRequest, query: str) -> str:
    """The results of the last round of tools, said back."""
    say = texts.said(query)
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    results: list[str] = []
    for message in reversed(request.messages):
        if message.role is not Role.TOOL:
            break
        name = names.get(message.tool_call_id, message.name or "?")
        results.append(say["tool"].format(name=name) + "\n\n" + _short(message.text, 2000))
    return "\n\n".join([say["intro"], *reversed(results)])


def _tool_calls(tools: Sequence[ToolSpec], query: str) -> list[ToolCall]:
    """Every tool that the query names, or the one whose words it shares most."""
    lower = query.lower()
    chosen = [tool for tool in tools if tool.name.lower() in lower or tool.name.lower().replace("_", " ") in lower]
    if not chosen and tools:
        rated = [(max(words.overlap(tool.name, query), words.overlap(query, tool.description)), tool) for tool in tools]
        score, best = max(rated, key=lambda row: row[0])
        chosen = [best] if score >= 0.5 else []
    return [_call(tool, query, index) for index, tool in enumerate(chosen)]


def _call(tool: ToolSpec, query: str, index: int) -> ToolCall:
    mark = hashlib.blake2b(f"{index}{tool.name}{query}".encode("utf-8", "replace"), digest_size=8).hexdigest()
    return ToolCall(f"call_{mark}", tool.name, jsonio.dumps_text(schemas.arguments(tool.parameters, query)))


def _short(text: str, limit: int = QUOTE_LIMIT) -> str:
    plain = text.strip()
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
