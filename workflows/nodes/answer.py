"""answer: a template of text and references; what it renders is what the user reads."""

from __future__ import annotations

import msgspec

from workflows.engine import template
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.values import files_of, to_markdown


class AnswerData(msgspec.Struct, frozen=True):
    answer: str = ""


class AnswerNode(Node[AnswerData]):
    schema = AnswerData
    replies = True

    @classmethod
    def answer(cls, data: AnswerData) -> template.Template:
        return template.parse(data.answer)

    async def run(self, ctx: NodeContext[AnswerData]) -> NodeStream:
        parsed = self.answer(ctx.data)
        files = [file for selector in parsed.selectors for file in files_of(ctx.pool.get(selector))]
        yield Done(outputs={"answer": parsed.render(ctx.pool, to_markdown), "files": files})
