"""Request rates: how many calls a key may still make in its window. The counting is django-ratelimit's."""

from __future__ import annotations

import logging
import re
from ipaddress import IPv4Address, ip_address, ip_network
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage

from difyproj.kernel.clock import monotonic
from difyproj.kernel.errors import ServiceUnavailable

from . import backends

logger = logging.getLogger(__name__)

# While the cache is away no call should wait for it again and again.
AWAY_SECONDS = 5.0
RATE = re.compile(r"[1-9]\d*/[1-9]?\d*[smhd]")

_away_until = 0.0
_request = HttpRequest()


class Usage(NamedTuple):
    """Calls allowed and left in this window, the seconds until it ends, and whether this call is over the limit."""

    limit: int
    remaining: int
    reset_seconds: int
    limited: bool


def count(*, group: str, key: str, rate: str, must: bool = False) -> Usage | None:
    """Counts one call of ``key`` against ``rate`` ("120/m", "10/30s").

    None when nothing is counted and every call may pass: the empty rate, rates switched off, a cache that is away.
    What ``must`` be counted, as a guess of a secret, does not pass uncounted: raises ServiceUnavailable.
    """
    usage = _usage(group, key, rate, increment=True)
    if usage is None and must and rate and getattr(settings, "RATELIMIT_ENABLE", True):
        raise ServiceUnavailable(retry_after=AWAY_SECONDS)
    return usage


def place(ip: str | None) -> str:
    """Where a call comes from, to count by: one household's or server's network has one IPv4 address, but a /64 of IPv6."""
    try:
        address = ip_address((ip or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False))


def peek(*, group: str, key: str, rate: str) -> Usage | None:
    """Like ``count``, without counting a call."""
    return _usage(group, key, rate, increment=False)


def reset() -> None:
    """Asks the cache again although it was away a moment ago, for tests."""
    global _away_until
    _away_until = 0.0


def _usage(group: str, key: str, rate: str, *, increment: bool) -> Usage | None:
    if not rate or monotonic() < _away_until:
        return None
    if not RATE.fullmatch(rate):
        raise ValueError(f"{rate!r} is not a rate such as 120/m or 10/30s.")
    try:
        found = get_usage(_request, group=group, key=lambda _group, _request: key, rate=rate, increment=increment)
    except backends.family().errors as error:
        _pause(error)
        return None
    if found is None:
        return None
    if found["time_left"] < 0 and found["limit"] == 0:
        logger.warning("A call was not counted, its window was just forgotten.")
        return None
    remaining = max(0, found["limit"] - found["count"])
    return Usage(found["limit"], remaining, max(1, found["time_left"]), found["should_limit"])


def _pause(error: Exception) -> None:
    global _away_until
    _away_until = monotonic() + AWAY_SECONDS
    logger.warning("Request rates are not counted for %d s, the cache is away: %s", AWAY_SECONDS, error)
