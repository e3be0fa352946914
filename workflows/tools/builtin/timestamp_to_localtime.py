"""timestamp_to_localtime: seconds since 1970 as a local time."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from workflows.engine.ports import ToolAnswer
from workflows.tools import moments
from workflows.tools.base import Tool, ToolFailed


class Parameters(msgspec.Struct, frozen=True):
    timestamp: float
    timezone: str = "Asia/Shanghai"


class TimestampToLocaltime(Tool[Parameters]):
    schema = Parameters
    summary = "Turns seconds since 1970 into a local time."

    async def invoke(self, parameters: Parameters) -> ToolAnswer:
        zone = moments.zone(parameters.timezone)
        try:
            moment = datetime.fromtimestamp(parameters.timestamp, UTC).astimezone(zone)
        except (ValueError, OverflowError, OSError):
            raise ToolFailed("The timestamp is outside of the years 1 to 9999.") from None
        return ToolAnswer(text=moments.written(moment))
