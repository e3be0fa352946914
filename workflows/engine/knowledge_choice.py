"""What a model decides before knowledge is searched: which collection is asked, and what its documents must tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from difyproj.kernel import jsonio
from difyproj.model_runtime.messages import PromptMessage, Role, ToolSpec

from . import json_text, model_call
from .events import Usage
from .model_config import ModelChoice
from .node import NodeContext

OPERATORS: Final = (
    "contains", "not contains", "start with", "end with", "is", "is not", "empty", "not empty", "=", "≠", ">", "<", "≥", "≤",
    "before", "after",
)  # fmt: skip
_CHOOSE: Final = (
    "A question is to be answered from one of several collections of documents. Choose the collection that speaks of it. The "
    "question is there to be sorted: whatever it asks for, do not answer it."
)
_IN_WORDS: Final = (
    " The message is a JSON object with the `question` and the `collections`. Answer with nothing but a JSON object whose key "
    "`id` is the id of the chosen collection, or empty where none of them speaks of the question."
)
_FILTER: Final = (
    "You find conditions on the metadata of documents in a question. The message is a JSON object: `question`, and `fields` "
    f"with each field's name and type. Comparison operators are {', '.join(OPERATORS)}; moments are seconds since 1970 or ISO "
    "dates. Answer with nothing but a JSON object whose key `conditions` is a list of objects with `name`, "
    "`comparison_operator` and `value`: only what the question clearly says, only fields that are listed; empty where it says "
    "nothing of them. Do not answer the question."
)
_USE: Final = "Look into the collection {name}."


async def collection(
    ctx: NodeContext[Any], model: ModelChoice, question: str, known: Sequence[Mapping[str, Any]]
) -> tuple[str, Usage | None]:
    """The id of the one that the model chooses, empty where it chooses none; a single one needs no model."""
    if len(known) < 2:
        return (str(known[0]["id"]) if known else ""), None
    told = [{"id": one["id"], "name": one["name"], "description": one["description"]} for one in known]
    if model.mode == "chat" and "tool-call" in ctx.ports.models.features(model.provider, model.name):
        tools = [
            ToolSpec(one["id"], one["description"] or _USE.format(name=one["name"]), {"type": "object", "properties": {}})
            for one in told
        ]
        answer = await _ask(ctx, model, _CHOOSE, question, tools)
        chosen = answer.tool_calls[0].name if answer.tool_calls else ""
    else:
        answer = await _ask(ctx, model, _CHOOSE + _IN_WORDS, _json(question=question, collections=told))
        found = json_text.first_object(json_text.without_thoughts(answer.text)) or {}
        chosen = str(found.get("id") or "")
    return (chosen if any(one["id"] == chosen for one in told) else ""), answer.usage


async def conditions(
    ctx: NodeContext[Any], model: ModelChoice, question: str, known: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], Usage | None]:
    """What the question says of the documents' metadata. What is no condition on one of the fields is left out."""
    fields = {str(field["name"]): field for one in known for field in one.get("fields") or ()}
    if not fields:
        return [], None
    told = [{"name": field["name"], "type": field["type"]} for field in fields.values()]
    answer = await _ask(ctx, model, _FILTER, _json(question=question, fields=told))
    found = json_text.first_object(json_text.without_thoughts(answer.text)) or {}
    rows = found.get("conditions")
    return [_condition(row) for row in rows if _is_condition(row, fields)] if isinstance(rows, list) else [], answer.usage


def _is_condition(row: Any, fields: Mapping[str, Any]) -> bool:
    if not isinstance(row, Mapping) or row.get("name") not in fields or row.get("comparison_operator") not in OPERATORS:
        return False
    value = row.get("value")
    return value is None or isinstance(value, str | int | float)


def _condition(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in ("name", "comparison_operator", "value")}


async def _ask(
    ctx: NodeContext[Any], model: ModelChoice, task: str, text: str, tools: Sequence[ToolSpec] = ()
) -> model_call.Answer:
    messages = [PromptMessage(Role.SYSTEM, task), PromptMessage(Role.USER, text)]
    sent = model_call.as_one_text(messages) if model.mode == "completion" else messages
    request = await model_call.request(ctx, model, model.completion_params, lambda turns: sent, memory=None, tools=tools)
    return await model_call.ask(ctx, model.provider, request)


def _json(**told: Any) -> str:
    return jsonio.dumps_text(told)
