"""weekday: which day of the week a date is."""

from __future__ import annotations

from calendar import day_name
from datetime import date

import msgspec

from workflows.engine.ports import ToolAnswer
from workflows.tools.base import Tool, ToolFailed


class Parameters(msgspec.Struct, frozen=True):
    year: int
    month: int
    day: int


class Weekday(Tool[Parameters]):
    schema = Parameters
    summary = "Tells the weekday of a date."

    async def invoke(self, parameters: Parameters) -> ToolAnswer:
        try:
            found = date(parameters.year, parameters.month, parameters.day)
        except (ValueError, OverflowError):
            raise ToolFailed("There is no such date.") from None
        return ToolAnswer(text=f"{found.isoformat()} is a {day_name[found.weekday()]}.")
