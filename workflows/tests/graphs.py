"""Graphs, node types and short ways to run them, for the engine's tests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import msgspec

from difyproj.kernel.registry import Registry
from workflows.engine.events import RunEvent
from workflows.engine.graph import Edge, Graph, NodeSpec
from workflows.engine.layers import Layer
from workflows.engine.node import Done, HistoryTurn, Node, NodeContext, NodeStream, NodeText
from workflows.engine.pool import VariablePool
from workflows.engine.ports import Ports
from workflows.engine.state import RunState
from workflows.engine.walk import run
from workflows.nodes import NODES

LLM = {"model": {"provider": "demo", "name": "m", "mode": "chat"}, "prompt_template": [{"role": "user", "text": "Hi"}]}


class EchoData(msgspec.Struct, frozen=True):
    words: list[str] = []
    handle: str = "source"
    crash: bool = False


class EchoNode(Node[EchoData]):
    """Streams its words as ``text`` and leaves by ``handle``."""

    schema = EchoData

    async def run(self, ctx: NodeContext[EchoData]) -> NodeStream:
        for word in ctx.data.words:
            yield NodeText(word)
        if ctx.data.crash:
            raise KeyError("a secret detail")
        yield Done(outputs={"text": "".join(ctx.data.words)}, handle=ctx.data.handle)


class SilentNode(Node[EchoData]):
    """Ends without a Done, which no node may."""

    schema = EchoData

    async def run(self, ctx: NodeContext[EchoData]) -> NodeStream:
        for word in ctx.data.words:
            yield NodeText(word)


TYPES: Registry[type[Node[Any]]] = Registry(
    "node type",
    {
        **NODES.rows(),
        "echo": "workflows.tests.graphs:EchoNode",
        "silent": "workflows.tests.graphs:SilentNode",
        "act": "workflows.tests.acting:ActNode",
        "once": "workflows.tests.acting:OnceNode",
        "deaf": "workflows.tests.acting:DeafNode",
        "ask": "workflows.tests.acting:AskNode",
    },
)


def graph(*nodes: tuple[str, str, Any], edges: Sequence[str]) -> Graph:
    """``edges`` read ``"a -> b"`` or ``"a:handle -> b"``."""
    made = []
    for text in edges:
        source, _, target = text.partition(" -> ")
        name, _, handle = source.partition(":")
        made.append(Edge(name, target, handle or "source"))
    return Graph([NodeSpec(name, kind, data=data) for name, kind, data in nodes], made)


def chain(*nodes: tuple[str, str, Any]) -> Graph:
    """The nodes one after the other, behind a start node."""
    names = ["start", *(name for name, _, _ in nodes)]
    edges = [f"{first} -> {second}" for first, second in pairwise(names)]
    return graph(("start", "start", {}), *nodes, edges=edges)


async def events_of(
    tree: Graph,
    ports: Ports,
    *,
    inputs: dict[str, Any] | None = None,
    query: str = "",
    files: Sequence[str] = (),
    conversation: dict[str, Any] | None = None,
    history: Sequence[HistoryTurn] = (),
    state: RunState | None = None,
    layers: Sequence[Layer] = (),
    **more: Any,
) -> list[RunEvent]:
    """The events of one run; ``more`` goes to ``run``."""
    asked = {"query": query, "files": list(files), "user_id": "ann"}
    pool = VariablePool({"inputs": inputs or {}, "sys": asked, "conversation": conversation or {}})
    stream = run(tree, pool, ports, nodes=TYPES, history=history, state=state, layers=layers, **more)
    async with aclosing(stream):
        return [event async for event in stream]


def short(events: Sequence[RunEvent]) -> str:
    """The run on one line: ``+llm`` a node begins, ``-llm`` it ends, ``!llm`` it fails, text in quotes."""
    words = []
    for event in events:
        kind, fields = type(event).__name__, msgspec.structs.asdict(event)
        if kind == "NodeStarted":
            words.append(f"+{fields['node_id']}")
        elif kind == "NodeFinished":
            words.append(("-" if fields["status"] == "succeeded" else "!") + fields["node_id"])
        elif kind == "TextChunk":
            words.append(repr(fields["text"]))
        elif kind != "RunStarted":
            words.append(kind)
    return " ".join(words)
