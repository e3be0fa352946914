"""if-else: the first case whose conditions hold chooses the way on, ``false`` when none does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from workflows.engine.conditions import Condition, Logic, judge
from workflows.engine.node import Done, Node, NodeContext, NodeStream

ELSE = "false"


class Case(msgspec.Struct, frozen=True):
    """``case_id`` is the outgoing handle; older files have it as ``id`` only."""

    case_id: str = ""
    id: str = ""
    logical_operator: Logic | None = "and"
    conditions: list[Condition] = []


class IfElseData(msgspec.Struct, frozen=True):
    """``conditions`` and ``logical_operator`` are the oldest shape: one case with the handle ``true``."""

    cases: list[Case] | None = None
    conditions: list[Condition] | None = None
    logical_operator: Logic | None = "and"

    def places(self) -> Sequence[tuple[str, Case]]:
        """The cases and where in the data their conditions stand."""
        if self.cases:
            return [(f"cases.{index}.conditions", case) for index, case in enumerate(self.cases)]
        return [("conditions", Case("true", logical_operator=self.logical_operator, conditions=self.conditions or []))]


class IfElseNode(Node[IfElseData]):
    schema = IfElseData

    async def run(self, ctx: NodeContext[IfElseData]) -> NodeStream:
        compared: list[Any] = []
        results: list[Any] = []
        chosen = ELSE
        for field, case in ctx.data.places():
            name = case.case_id or case.id
            verdict = judge(case.conditions, ctx.pool, logic=case.logical_operator, field=field)
            compared.extend(verdict.compared)
            results.append({"case_id": name, "results": list(verdict.results), "final_result": verdict.holds})
            if verdict.holds:
                chosen = name
                break
        yield Done(
            outputs={"result": chosen != ELSE, "selected_case_id": chosen},
            inputs={"conditions": compared},
            process_data={"condition_results": results},
            handle=chosen,
        )
