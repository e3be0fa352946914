"""Node types that do what a test tells them, and a log of what they did."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from difyproj.kernel.errors import CompletionRequestError
from workflows.engine.events import HumanInputFilled, Usage
from workflows.engine.node import NEVER_AGAIN, Done, Form, Node, NodeContext, NodeStream, NodeText, Waiting

# Node ids, one for each try; ``closed`` those that were interrupted.
RAN: list[str] = []
CLOSED: list[str] = []
TOGETHER: list[int] = []
_now: set[object] = set()


class ActData(msgspec.Struct, frozen=True):
    """Waits ``seconds``, says ``words``, assigns, fails as often as told (-1: always), ends. ``value`` may be a selector."""

    words: tuple[str, ...] = ()
    seconds: float = 0.0
    fails: int = 0
    error: str = "It broke."
    handle: str = "source"
    value: Any = None
    shows: tuple[str, ...] = ()
    assign: Mapping[str, Any] = {}
    tokens: int = 0


class ActNode(Node[ActData]):
    schema = ActData
    retries = True

    @classmethod
    def writes(cls, data: ActData) -> list[tuple[str, ...]]:
        return [tuple(name.split(".")) for name in data.assign]

    async def run(self, ctx: NodeContext[ActData]) -> NodeStream:
        data, mark = ctx.data, object()
        RAN.append(ctx.node_id)
        _now.add(mark)
        TOGETHER.append(len(_now))
        try:
            await asyncio.sleep(data.seconds)
            for word in data.words:
                yield NodeText(word)
            if data.fails < 0 or RAN.count(ctx.node_id) <= data.fails:
                raise CompletionRequestError(data.error)
        except (asyncio.CancelledError, GeneratorExit):
            CLOSED.append(ctx.node_id)
            raise
        finally:
            _now.discard(mark)
        for name, value in data.assign.items():
            scope, _, variable = name.partition(".")
            ctx.pool.assign(scope, variable, value)
        value = ctx.pool.get(data.shows) if data.shows else data.value
        usage = Usage(total_tokens=data.tokens, total_price=f"0.{data.tokens:03}") if data.tokens else None
        yield Done({"text": "".join(data.words), "value": value}, usage=usage, handle=data.handle)


class OnceNode(ActNode):
    """May not run again when a process died while it ran."""

    repeats = NEVER_AGAIN


class DeafNode(ActNode):
    """Turns a cancellation into an error of its own, as some libraries do."""

    async def run(self, ctx: NodeContext[ActData]) -> NodeStream:
        try:
            await asyncio.sleep(ctx.data.seconds)
        except asyncio.CancelledError:
            raise CompletionRequestError("The connection broke.") from None
        yield Done()


class AskData(msgspec.Struct, frozen=True):
    question: str = "Shall we?"


class AskNode(Node[AskData]):
    """Waits for a person and leaves by the action that was chosen."""

    schema = AskData

    async def run(self, ctx: NodeContext[AskData]) -> NodeStream:
        RAN.append(ctx.node_id)
        answer = ctx.resumption
        if answer is None:
            yield Waiting(Form(ctx.data.question, actions=[{"id": "yes"}, {"id": "no"}]))
            return
        action, question = answer.action_id, ctx.data.question
        yield HumanInputFilled(ctx.node_id, ctx.title, question, action, action, execution_id=ctx.execution_id)
        yield Done({**answer.values}, handle=answer.action_id)


def forget() -> None:
    for log in (RAN, CLOSED, TOGETHER):
        log.clear()
    _now.clear()
