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
        "end": "workflows.nodes.end:EndNode",
        "if-else": "workflows.nodes.if_else:IfElseNode",
        "variable-aggregator": "workflows.nodes.variable_aggregator:VariableAggregatorNode",
        "assigner": "workflows.nodes.assigner:AssignerNode",
        "list-operator": "workflows.nodes.list_operator:ListOperatorNode",
        "template-transform": "workflows.nodes.template_transform:TemplateTransformNode",
        "code": "workflows.nodes.code:CodeNode",
        "iteration": "workflows.nodes.iteration:IterationNode",
        "iteration-start": "workflows.nodes.iteration_start:IterationStartNode",
        "loop": "workflows.nodes.loop:LoopNode",
        "loop-start": "workflows.nodes.loop_start:LoopStartNode",
        "loop-end": "workflows.nodes.loop_end:LoopEndNode",
        "parameter-extractor": "workflows.nodes.parameter_extractor:ParameterExtractorNode",
        "http-request": "workflows.nodes.http_request:HttpRequestNode",
        "document-extractor": "workflows.nodes.document_extractor:DocumentExtractorNode",
        "tool": "workflows.nodes.tool:ToolNode",
        "agent": "workflows.nodes.agent:AgentNode",
        "knowledge-retrieval": "workflows.nodes.knowledge_retrieval:KnowledgeRetrievalNode",
        "human-input": "workflows.nodes.human_input:HumanInputNode",
        "trigger-webhook": "workflows.nodes.trigger_webhook:TriggerWebhookNode",
        "trigger-schedule": "workflows.nodes.trigger_schedule:TriggerScheduleNode",
        "trigger-plugin": "workflows.nodes.trigger_plugin:TriggerPluginNode",
        "question-classifier": "workflows.nodes.question_classifier:QuestionClassifierNode",
    },
    aliases={"variable-assigner": "variable-aggregator"},
)
