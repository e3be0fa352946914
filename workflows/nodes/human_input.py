"""human-input: a person is asked, by a form; the run waits and goes on by the action that was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from workflows.engine import template
from workflows.engine.events import HumanInputExpired, HumanInputFilled
from workflows.engine.node import Done, Form, FormAnswer, Node, NodeContext, NodeStream, Waiting
from workflows.engine.pool import VariablePool
from workflows.engine.spec import SOURCE
from workflows.engine.values import is_list, to_text

TIMEOUT: Final = "__timeout"
_SECONDS: Final[Mapping[str, float]] = {"minute": 60, "hour": 3600, "day": 86400}


class DeliveryMethod(msgspec.Struct, frozen=True):
    id: str = ""
    type: str = "webapp"
    enabled: bool = False
    config: dict[str, Any] | None = None


class Action(msgspec.Struct, frozen=True):
    """A button; ``id`` is the outgoing handle."""

    id: str
    title: str = ""
    button_style: str = "default"


class HumanInputData(msgspec.Struct, frozen=True):
    """``form_content`` is Markdown with references; ``{{#$output.name#}}`` in it is the place of a field of ``inputs``.

    Without a ``timeout`` whoever keeps the form decides how long it waits.
    """

    form_content: str = ""
    inputs: list[dict[str, Any]] | None = None
    user_actions: list[Action] | None = None
    delivery_methods: list[DeliveryMethod] | None = None
    timeout: float | None = 0
    timeout_unit: Literal["minute", "hour", "day"] | None = "hour"

    def __post_init__(self) -> None:
        _once("actions", "id", (action.id for action in self.user_actions or ()))
        _once("fields", "output_variable_name", (str(field.get("output_variable_name")) for field in self.inputs or ()))

    @property
    def seconds(self) -> float:
        return max(self.timeout or 0, 0) * _SECONDS[self.timeout_unit or "hour"]


class HumanInputNode(Node[HumanInputData]):
    schema = HumanInputData

    async def run(self, ctx: NodeContext[HumanInputData]) -> NodeStream:
        answer = ctx.resumption
        if answer is None:
            yield Waiting(_form(ctx.data, ctx.pool))
        elif answer.expired_at:
            yield HumanInputExpired(ctx.node_id, ctx.title, answer.expired_at, ctx.execution_id)
            yield Done(outputs=_told(answer, ""), handle=TIMEOUT)
        else:
            titles = {action.id: action.title for action in ctx.data.user_actions or ()}
            title = titles.get(answer.action_id) or answer.action_id
            fields = dict(answer.values)
            yield HumanInputFilled(
                ctx.node_id, ctx.title, answer.rendered_content, answer.action_id, title, fields, ctx.execution_id
            )
            yield Done(outputs={**fields, **_told(answer, title)}, handle=answer.action_id or SOURCE)


def _once(what: str, name: str, values: Iterable[str]) -> None:
    """Raises ValueError for a name that is given twice."""
    for value, count in Counter(values).items():
        if count > 1:
            raise ValueError(f"{count} {what} have the {name} {value!r}")


def _told(answer: FormAnswer, title: str) -> dict[str, Any]:
    return {"__action_id": answer.action_id, "__action_value": title, "__rendered_content": answer.rendered_content}


def _form(data: HumanInputData, pool: VariablePool) -> Form:
    fields = [_field(field, pool) for field in data.inputs or ()]
    return Form(
        content=template.parse(data.form_content).render(pool),
        inputs=fields,
        actions=[msgspec.to_builtins(action) for action in data.user_actions or ()],
        defaults={str(field["output_variable_name"]): _default(field.get("default"), pool) for field in fields},
        delivery=[_rendered(msgspec.to_builtins(method), pool) for method in data.delivery_methods or () if method.enabled],
        expires_in=data.seconds,
    )


def _field(field: Mapping[str, Any], pool: VariablePool) -> dict[str, Any]:
    """The field as it stands; options that come from a variable are looked up."""
    made = {"type": "text-input", "output_variable_name": "", **field}
    source = field.get("option_source")
    if isinstance(source, Mapping) and source.get("type") == "variable":
        found: Any = pool.get(_selector(source))
        made["option_source"] = {**source, "value": [to_text(option) for option in found] if is_list(found) else []}
    return made


def _default(stated: Any, pool: VariablePool) -> str:
    """Old forms hold the default itself, newer ones ``{type, selector, value}``."""
    if not isinstance(stated, Mapping):
        return to_text(stated)
    if stated.get("type") == "variable":
        return to_text(pool.get(_selector(stated)))
    return template.parse(to_text(stated.get("value"))).render(pool)


def _selector(stated: Mapping[str, Any]) -> Sequence[str]:
    selector: Any = stated.get("selector") or ()
    return [str(step) for step in selector] if is_list(selector) else ()


def _rendered(value: Any, pool: VariablePool) -> Any:
    """The texts of an e-mail may refer to values; the place of its address, ``{{#url#}}``, stays."""
    if isinstance(value, str):
        return template.parse(value).render(pool)
    if isinstance(value, Mapping):
        return {name: _rendered(item, pool) for name, item in value.items()}
    return [_rendered(item, pool) for item in value] if is_list(value) else value
