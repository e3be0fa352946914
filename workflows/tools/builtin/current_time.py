"""current_time: what time it is, in a time zone."""

from __future__ import annotations

import msgspec

from difyproj.kernel import clock
from workflows.engine.ports import ToolAnswer
from workflows.tools import moments
from workflows.tools.base import Tool


class Parameters(msgspec.Struct, frozen=True):
    """``format`` is one of strftime."""

    format: str = moments.FORMAT
    timezone: str = "UTC"


class CurrentTime(Tool[Parameters]):
    schema = Parameters
    summary = "The current time."

    async def invoke(self, parameters: Parameters) -> ToolAnswer:
        moment = clock.now().astimezone(moments.zone(parameters.timezone))
        return ToolAnswer(text=moments.written(moment, parameters.format))
