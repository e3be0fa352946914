"""trigger-schedule: a run begins by the clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from difyproj.kernel.errors import InvalidParam
from workflows.engine.node import Done, Node, NodeContext, NodeStream

_TIME: Final = re.compile(r"(\d{1,2}):(\d{2}) {0,3}([AaPp][Mm])?")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMED: Final[Mapping[str, str]] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS: Final = 5
_LONGEST: Final = 200


class VisualConfig(msgspec.Struct, frozen=True):
    """``time`` reads ``9:00 AM``; ``monthly_days`` are numbers and ``last``."""

    time: str | None = "12:00 AM"
    on_minute: int | None = 0
    weekdays: list[str] | None = None
    monthly_days: list[int | str] | None = None


class TriggerScheduleData(msgspec.Struct, frozen=True):
    mode: Literal["visual", "cron"] | None = "visual"
    cron_expression: str | None = ""
    frequency: Literal["hourly", "daily", "weekly", "monthly"] | None = "daily"
    timezone: str | None = "UTC"
    visual_config: VisualConfig | None = None


class TriggerScheduleNode(Node[TriggerScheduleData]):
    schema = TriggerScheduleData
    entry = True

    async def run(self, ctx: NodeContext[TriggerScheduleData]) -> NodeStream:
        yield Done()


def next_after(data: TriggerScheduleData, moment: datetime) -> datetime | None:
    """When the schedule is due next, in UTC, later than ``moment``; None when it never is (a 30th of February).

    Clocks that change are taken as cron does: what falls into the missing hour comes right after it, what stands in the hour
    that comes twice comes once. Raises InvalidParam for a schedule that is none.
    """
    expression = cron(data)
    try:
        found = next(CronSim(expression, moment.astimezone(_zone(data.timezone or "UTC"))), None)
    except CronSimError as error:
        told = f"{expression[:_LONGEST]!r} is no cron expression: {error}."
        raise InvalidParam(told, params="cron_expression" if data.mode == "cron" else "visual_config") from None
    except OverflowError:
        return None
    return None if found is None else found.astimezone(UTC)


def cron(data: TriggerScheduleData) -> str:
    """The schedule as a cron expression of five fields. Raises InvalidParam."""
    if data.mode == "cron":
        stated = (data.cron_expression or "").strip()
        fields = _NAMED.get(stated.lower(), stated).split()
        if len(fields) != _FIELDS:
            told = f"A cron expression has {_FIELDS} fields, {stated[:_LONGEST]!r} has {len(fields)}."
            raise InvalidParam(told, params="cron_expression")
        return " ".join("*" if field == "?" else field for field in fields)
    config = data.visual_config or VisualConfig()
    if data.frequency == "hourly":
        return f"{_within(config.on_minute or 0, 0, 59, 'on_minute')} * * * *"
    hour, minute = _time(config.time or "12:00 AM")
    if data.frequency == "weekly":
        return f"{minute} {hour} * * {_weekdays(config.weekdays or [])}"
    if data.frequency == "monthly":
        return f"{minute} {hour} {_days(config.monthly_days or [])} * *"
    return f"{minute} {hour} * * *"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidParam(f"There is no time zone {name[:_LONGEST]!r}.", params="timezone") from None


def _time(text: str) -> tuple[int, int]:
    """Hour and minute of ``9:00 AM`` or ``21:00``."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise InvalidParam(f"{text[:_LONGEST]!r} is no time like 9:00 AM.", params="visual_config.time")
    hour, minute, half = int(match[1]), int(match[2]), (match[3] or "").lower()
    if half:
        hour = _within(hour, 1, 12, "time") % 12 + (12 if half == "pm" else 0)
    return _within(hour, 0, 23, "time"), _within(minute, 0, 59, "time")


def _weekdays(names: list[str]) -> str:
    known = [name.strip().lower()[:3] for name in names]
    if not known or any(name not in _WEEKDAYS for name in known):
        raise InvalidParam(f"The weekdays are some of {', '.join(_WEEKDAYS)}.", params="visual_config.weekdays")
    return ",".join(str(_WEEKDAYS.index(name)) for name in known)


def _days(days: list[int | str]) -> str:
    if not days:
        raise InvalidParam("The days of the month are numbers or last.", params="visual_config.monthly_days")
    return ",".join("L" if str(day).lower() == "last" else str(_day(day)) for day in days)


def _day(stated: int | str) -> int:
    try:
        return _within(int(stated), 1, 31, "monthly_days")
    except ValueError:
        raise InvalidParam("The days of the month are numbers or last.", params="visual_config.monthly_days") from None


def _within(value: int, least: int, most: int, name: str) -> int:
    if not least <= value <= most:
        raise InvalidParam(f"{value} is not between {least} and {most}.", params=f"visual_config.{name}")
    return value
