"""Graphs of all shapes, for properties that must hold in any of them."""

from __future__ import annotations

from hypothesis import strategies as some

from workflows.engine.graph import Graph

from .graphs import graph


@some.composite
def random_graphs(draw: some.DrawFn, *, racing: bool = True) -> Graph:
    """Any graph of talkers, branches and answers, its nodes named in an order that the edges follow.

    If not ``racing``, answers show only what comes before them, so that their text does not depend on who is faster.
    """
    nodes: list[tuple[str, str, object]] = [("start", "start", {})]
    edges: list[str] = []
    ancestors: dict[str, set[str]] = {"start": set()}
    for index in range(draw(some.integers(1, 7))):
        name, known = f"n{index}", [known for known, _, _ in nodes]
        before: set[str] = set()
        for source in draw(some.lists(some.sampled_from(known), min_size=1, max_size=3, unique=True)):
            handle = draw(some.sampled_from(["a", "b"])) if "n" in source and int(source[1:]) % 3 == 1 else "source"
            edges.append(f"{source}:{handle} -> {name}")
            before |= {source, *ancestors[source]}
        ancestors[name] = before
        if index % 3 == 2:
            parts = draw(
                some.lists(
                    some.sampled_from(["-", *(f"{{{{#{other}.text#}}}}" for other in (known if racing else sorted(before)))]),
                    max_size=4,
                )
            )
            nodes.append((name, "answer", {"answer": f"[{''.join(parts)}]"}))
        else:
            handle = draw(some.sampled_from(["a", "b"])) if index % 3 == 1 else "source"
            nodes.append((name, "echo", {"words": draw(some.lists(some.text("xy", max_size=2), max_size=3)), "handle": handle}))
    return graph(*nodes, edges=edges)
