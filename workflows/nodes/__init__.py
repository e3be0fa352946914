"""Node types: one file and one row each."""

from __future__ import annotations

from typing import Any

from difyproj.kernel.registry import Registry
from workflows.engine.node import Node

NODES: Registry[type[Node[Any]]] = Registry(
    "node type",
    {
        "start": "workflows.nodes.start:StartNode",
        "llm": "workflows.nodes.llm:LlmNode",
        "answer": "workflows.nodes.answer:AnswerNode",
        "question-classifier": "workflows.nodes.question_classifier:QuestionClassifierNode",
    },
)
