"""The tools that come with the product, by provider and name: one file and one row each."""

from __future__ import annotations

from typing import Any

from difyproj.kernel.registry import Registry
from workflows.tools.base import Tool

TOOLS: Registry[type[Tool[Any]]] = Registry(
    "tool",
    {
        "time/current_time": "workflows.tools.builtin.current_time:CurrentTime",
        "time/localtime_to_timestamp": "workflows.tools.builtin.localtime_to_timestamp:LocaltimeToTimestamp",
        "time/timestamp_to_localtime": "workflows.tools.builtin.timestamp_to_localtime:TimestampToLocaltime",
        "time/timezone_conversion": "workflows.tools.builtin.timezone_conversion:TimezoneConversion",
        "time/weekday": "workflows.tools.builtin.weekday:Weekday",
    },
)
