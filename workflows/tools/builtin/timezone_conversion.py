"""timezone_conversion: a local time as clocks elsewhere show it."""

from __future__ import annotations

import msgspec

from workflows.engine.ports import ToolAnswer
from workflows.tools import moments
from workflows.tools.base import Tool


class Parameters(msgspec.Struct, frozen=True):
    current_time: str
    current_timezone: str = "Asia/Shanghai"
    target_timezone: str = "Asia/Tokyo"


class TimezoneConversion(Tool[Parameters]):
    schema = Parameters
    summary = "Converts a time (2024-01-01 00:00:00) from one time zone to another."

    async def invoke(self, parameters: Parameters) -> ToolAnswer:
        moment = moments.read(parameters.current_time, timezone=parameters.current_timezone)
        return ToolAnswer(text=moments.written(moment.astimezone(moments.zone(parameters.target_timezone))))
