"""tool: one call of a tool, built in or of the run's tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from difyproj.kernel.errors import InvalidParam
from workflows.engine import parameters
from workflows.engine.masking import masked
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import MISSING, VariablePool
from workflows.engine.ports import ToolCall


class ParameterSchema(msgspec.Struct, frozen=True):
    """What the editor noted of a parameter."""

    name: str = ""
    required: bool | None = False


class ToolData(msgspec.Struct, frozen=True):
    """``tool_parameters`` are what the graph fills in, ``tool_configurations`` what its author set: bare in old files, typed in
    new ones."""

    provider_type: str = "builtin"
    provider_id: str = ""
    provider_name: str = ""
    tool_name: str = ""
    tool_parameters: dict[str, Any] | None = None
    tool_configurations: dict[str, Any] | None = None
    credential_id: str | None = ""
    plugin_unique_identifier: str | None = ""
    param_schemas: list[ParameterSchema] | None = msgspec.field(default=None, name="paramSchemas")

    @property
    def required(self) -> frozenset[str]:
        return frozenset(schema.name for schema in self.param_schemas or () if schema.required)


class ToolNode(Node[ToolData]):
    schema = ToolData
    retries = True

    async def run(self, ctx: NodeContext[ToolData]) -> NodeStream:
        data = ctx.data
        given = _parameters(data, ctx.pool)
        call = ToolCall(
            provider_type=data.provider_type,
            provider_id=data.provider_id or data.provider_name,
            tool_name=data.tool_name,
            parameters=given,
            credential_id=data.credential_id or "",
        )
        answer = await ctx.ports.tools.invoke(call)
        yield Done(
            outputs={
                "text": answer.text,
                "files": list(answer.files),
                "json": list(answer.json) or [{"data": []}],
                **answer.variables,
            },
            inputs=masked(given, ctx.pool.secrets),
            usage=answer.usage,
            metadata={"tool_info": _info(data)},
        )


def _parameters(data: ToolData, pool: VariablePool) -> dict[str, Any]:
    """Values by name; what is null, and what is not there and not required, is left out. Raises InvalidParam."""
    made: dict[str, Any] = {}
    for field, stated in (("tool_configurations", data.tool_configurations), ("tool_parameters", data.tool_parameters)):
        for name, parameter in (stated or {}).items():
            value = parameters.resolve(parameter, pool)
            if value is MISSING and name in data.required:
                told = f"The tool's parameter {name} is the variable {parameters.dotted(parameter)}, which does not exist."
                raise InvalidParam(told, params=f"{field}.{name}")
            if value is not MISSING and value is not None:
                made[name] = value
    return made


def _info(data: ToolData) -> Mapping[str, Any]:
    return {
        "provider_type": data.provider_type,
        "provider_id": data.provider_id or data.provider_name,
        "plugin_unique_identifier": data.plugin_unique_identifier or None,
    }
