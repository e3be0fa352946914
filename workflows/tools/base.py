"""What a built-in tool is: typed parameters in, one answer out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import msgspec

from difyproj.kernel import structs
from difyproj.kernel.errors import InvalidParam
from workflows.engine.ports import ToolAnswer, ToolCall

Parameters = TypeVar("Parameters")


class ToolFailed(InvalidParam):
    """The tool could not do what it was asked; the text says why."""

    default_message = "The tool failed."


class Tool(ABC, Generic[Parameters]):
    """One tool, named by its row. ``schema`` parses what the call holds; ``summary`` tells people and models what it does."""

    schema: ClassVar[type]
    summary: ClassVar[str]

    @abstractmethod
    async def invoke(self, parameters: Parameters) -> ToolAnswer:
        """Raises ToolFailed."""


def parsed(tool: type[Tool[Parameters]], call: ToolCall) -> Parameters:
    """The parameters of a call as the tool knows them. An empty text stands for the default. Raises ToolFailed."""
    given = {name: value for name, value in call.parameters.items() if value != ""}
    try:
        made: Parameters = structs.convert(given, tool.schema, strict=False)
    except msgspec.ValidationError as error:
        raise ToolFailed(f"The tool {call.tool_name} was called wrongly: {error}.") from error
    return made
