"""localtime_to_timestamp: a local time as seconds since 1970."""

from __future__ import annotations

import msgspec

from workflows.engine.ports import ToolAnswer
from workflows.tools import moments
from workflows.tools.base import Tool


class Parameters(msgspec.Struct, frozen=True):
    localtime: str
    timezone: str = "Asia/Shanghai"


class LocaltimeToTimestamp(Tool[Parameters]):
    schema = Parameters
    summary = "Turns a local time (2024-01-01 00:00:00) into seconds since 1970."

    async def invoke(self, parameters: Parameters) -> ToolAnswer:
        moment = moments.read(parameters.localtime, timezone=parameters.timezone)
        return ToolAnswer(text=str(int(moment.timestamp())))
