"""What the engine itself costs: a chain of a thousand nodes and a fan of two hundred, without rows, log or network.

``langgraph`` runs the same two graphs beside it where it is installed; the project does not need it.
"""

from __future__ import annotations

import argparse
import asyncio
import operator
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import Annotated, Any, TypedDict

import msgspec

from difyproj.kernel.registry import Registry
from difyproj.testing.fakes import KeptFiles, ScriptedModels
from workflows.engine.events import NodeFinished, RunFinished
from workflows.engine.graph import BoundGraph, Edge, Graph, NodeSpec
from workflows.engine.limits import Limits
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import VariablePool
from workflows.engine.ports import Ports
from workflows.engine.walk import run
from workflows.nodes import NODES

THEIRS: Any = import_module("langgraph.graph") if find_spec("langgraph") else None
LIMIT_MS = 0.3
_WIDE = Limits(steps=100_000, width=10_000)


class NothingData(msgspec.Struct, frozen=True):
    pass


class NothingNode(Node[NothingData]):
    """Gives out one value and does nothing else."""

    schema = NothingData

    async def run(self, ctx: NodeContext[NothingData]) -> NodeStream:
        yield Done({"value": 1})


TYPES: Registry[type[Node[Any]]] = Registry("node type", {**NODES.rows(), "nothing": "bench.engine:NothingNode"})


def chain(count: int) -> Graph:
    names = ["start", *(f"n{index}" for index in range(count - 1))]
    return _graph(names, [Edge(*pair) for pair in pairwise(names)])


def fan(count: int) -> Graph:
    names = [f"n{index}" for index in range(count)]
    edges = [edge for name in names for edge in (Edge("start", name), Edge(name, "join"))]
    return _graph(["start", *names, "join"], edges)


def _graph(names: list[str], edges: list[Edge]) -> Graph:
    return Graph([NodeSpec(name, "start" if name == "start" else "nothing") for name in names], edges)


async def ours(bound: BoundGraph) -> int:
    """The number of nodes that ran."""
    ports = Ports(models=ScriptedModels(()), files=KeptFiles())
    count = 0
    async with aclosing(run(bound, VariablePool(), ports, nodes=TYPES, limits=_WIDE)) as events:
        async for event in events:
            count += isinstance(event, NodeFinished)
    if not isinstance(event, RunFinished) or count != len(bound.classes):
        raise RuntimeError(f"The run ended after {count} nodes: {event}")
    return count


class _Done(TypedDict):
    done: Annotated[int, operator.add]


def langgraph(graph: Graph) -> Callable[[], Awaitable[int]]:
    """The same graph there: nodes that write one value each."""

    async def nothing(state: _Done) -> dict[str, int]:
        return {"done": 1}

    made = THEIRS.StateGraph(_Done)
    for name in graph.nodes:
        made.add_node(name, nothing)
    made.add_edge(THEIRS.START, "start")
    for name in graph.nodes:
        if sources := graph.sources(name):
            made.add_edge(sources if len(sources) > 1 else sources[0], name)
        if not graph.outgoing[name]:
            made.add_edge(name, THEIRS.END)
    compiled = made.compile()

    async def once() -> int:
        end = await compiled.ainvoke({"done": 0}, {"recursion_limit": 100_000})
        return int(end["done"])

    return once


async def measured(once: Callable[[], Awaitable[int]], rounds: int) -> tuple[float, float]:
    """Milliseconds per node, median: CPU and elapsed."""
    await once()
    cpu, real = [], []
    for _ in range(rounds):
        began, began_real = time.process_time(), time.perf_counter()
        count = await once()
        cpu.append((time.process_time() - began) * 1000 / count)
        real.append((time.perf_counter() - began_real) * 1000 / count)
    return statistics.median(cpu), statistics.median(real)


async def compared(rounds: int) -> int:
    """Print a row per graph and engine; the number of figures over the limit."""
    over = 0
    print(f"{'graph':<14}{'engine':<12}{'CPU ms/node':>12}{'ms/node':>10}")
    for name, graph in (("chain of 1000", chain(1000)), ("fan of 200", fan(200))):
        bound = BoundGraph(graph, TYPES)
        rows: list[tuple[str, Callable[[], Awaitable[int]]]] = [("ours", partial(ours, bound))]
        if THEIRS is not None:
            rows.append(("langgraph", langgraph(graph)))
        for engine, once in rows:
            cpu, real = await measured(once, rounds)
            print(f"{name:<14}{engine:<12}{cpu:>12.4f}{real:>10.4f}")
            over += engine == "ours" and cpu > LIMIT_MS
    if THEIRS is None:
        print("langgraph is not installed here; pip install langgraph shows its figures beside these.")
    return over


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    raise SystemExit(1 if asyncio.run(compared(parser.parse_args().rounds)) else 0)


if __name__ == "__main__":
    main()
