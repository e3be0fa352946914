"""The graph of modes that answer with one model call: start, knowledge where the app has some, llm, answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from apps.config import AppConfig
from difyproj.kernel.errors import AppUnavailable
from workflows.engine.graph import Edge, Graph, NodeSpec
from workflows.engine.model_config import Memory, ModelChoice, Vision, VisionConfigs
from workflows.engine.prompt import PreparedPrompt
from workflows.nodes.answer import AnswerData
from workflows.nodes.llm import Context, PreparedLlmData
from workflows.nodes.start import StartData

from . import knowledge
from .mode import Plan, Turn
from .prompts import prepare

_START: Final = NodeSpec("start", "start", "Start", StartData())
_ANSWER: Final = NodeSpec("answer", "answer", "Answer", AnswerData("{{#llm.text#}}"))
_EDGES: Final = (Edge("start", "llm"), Edge("llm", "answer"))
_WITH_KNOWLEDGE: Final = (Edge("start", knowledge.NODE), Edge(knowledge.NODE, "llm"), Edge("llm", "answer"))


def build(config: AppConfig, turn: Turn, *, conversation: bool) -> Plan:
    """The plan of one question. Raises AppUnavailable when the app names no model."""
    model = config.model
    if not model.provider or not model.name:
        raise AppUnavailable("The app has no model. Choose one in the app's configuration.")
    prompt = prepare(config, turn, conversation=conversation)
    search = knowledge.step(config, turn.inputs, conversation=conversation)
    data = PreparedLlmData(
        model=ModelChoice(model.provider, model.name, model.mode, model.completion_params),
        memory=Memory() if conversation and prompt.remembers else None,
        vision=Vision(enabled=bool(turn.files), configs=VisionConfigs(detail=config.file_upload.image.detail)),
        stop=prompt.stop,
        prompt=prompt.prepared,
    )
    if search is None:
        graph = Graph((_START, NodeSpec("llm", "llm", "LLM", data), _ANSWER), _EDGES)
        return Plan(graph, turn.pool(), turn.history)

    def with_context(text: str) -> PreparedPrompt:
        return prepare(config, replace(turn, context=text), conversation=conversation).prepared

    told = msgspec.structs.replace(data, context=Context(True, knowledge.RESULT), with_context=with_context)
    graph = Graph((_START, search, NodeSpec("llm", "llm", "LLM", told), _ANSWER), _WITH_KNOWLEDGE)
    return Plan(graph, turn.pool(), turn.history)
