"""Moments as the tools of the provider ``time`` read and write them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .base import ToolFailed

FORMAT: Final = "%Y-%m-%d %H:%M:%S"
_LONGEST: Final = 200


def zone(name: str) -> ZoneInfo:
    """Raises ToolFailed."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ToolFailed(f"There is no time zone {name[:_LONGEST]!r}.") from None


def read(text: str, *, timezone: str, form: str = FORMAT) -> datetime:
    """A local time. Raises ToolFailed."""
    try:
        return datetime.strptime(text.strip(), form).replace(tzinfo=zone(timezone))
    except ValueError:
        raise ToolFailed(f"{text[:_LONGEST]!r} is no time of the form {form[:_LONGEST]}.") from None


def written(moment: datetime, form: str = FORMAT) -> str:
    """Raises ToolFailed."""
    if len(form) > _LONGEST:
        raise ToolFailed(f"The format is longer than {_LONGEST} characters.")
    try:
        return moment.strftime(form)
    except (ValueError, UnicodeError):
        raise ToolFailed(f"{form!r} is no format of a time.") from None
