"""The tools that a run may call, found by what graphs of all ages call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from difyproj.kernel.errors import NotFound
from workflows.engine.ports import ToolAnswer, ToolCall

from .base import parsed
from .builtin import TOOLS

BUILT_IN: Final = "builtin"
# Providers that were built in before Dify had plug-ins, and the plug-in that each became, where its name is another.
_PLUGINS: Final[Mapping[str, str]] = {
    "jina": "langgenius/jina_tool/jina",
    "siliconflow": "langgenius/siliconflow_tool/siliconflow",
    "stepfun": "langgenius/stepfun_tool/stepfun",
    "gitee_ai": "langgenius/gitee_ai_tool/gitee_ai",
}


class ToolNotFound(NotFound):
    default_message = "Tool not found."


class Toolbox:
    """The built-in tools as a run's ToolPort."""

    async def invoke(self, call: ToolCall) -> ToolAnswer:
        """Raises ToolNotFound, and ToolFailed."""
        name = f"{short(call.provider_id)}/{call.tool_name}"
        if call.provider_type not in (BUILT_IN, "plugin") or name not in TOOLS:
            raise ToolNotFound(
                f"There is no tool {call.tool_name!r} of the provider {call.provider_id!r} ({call.provider_type}) here."
            )
        tool = TOOLS.get(name)
        return await tool().invoke(parsed(tool, call))


def names() -> Mapping[str, frozenset[str]]:
    """The built-in tools' names by the short name of their provider."""
    found: dict[str, set[str]] = {}
    for row in TOOLS:
        provider, _, tool = row.partition("/")
        found.setdefault(provider, set()).add(tool)
    return {provider: frozenset(tools) for provider, tools in found.items()}


def short(provider_id: str) -> str:
    """``time`` for ``time`` and for ``langgenius/time/time``; a stranger's plug-in keeps its whole id."""
    parts = provider_id.strip().split("/")
    is_own = len(parts) == 3 and parts[0] == "langgenius"
    return parts[2] if is_own and plugin_id(parts[2]) == "/".join(parts) else provider_id.strip()


def plugin_id(provider_id: str) -> str:
    """``langgenius/time/time`` for the ``time`` of old files; an id with slashes is one already."""
    name = provider_id.strip()
    return name if "/" in name else _PLUGINS.get(name, f"langgenius/{name}/{name}")
