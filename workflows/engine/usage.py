"""Adding up what model calls cost."""

from __future__ import annotations

from decimal import Decimal

from .events import Usage


def add(first: Usage, second: Usage) -> Usage:
    """Both together. Unit prices and currency are those of the later call; the first token time is the earlier call's."""
    if first == Usage():
        return second
    return Usage(
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        prompt_unit_price=second.prompt_unit_price,
        prompt_price_unit=second.prompt_price_unit,
        prompt_price=_money(first.prompt_price, second.prompt_price),
        completion_tokens=first.completion_tokens + second.completion_tokens,
        completion_unit_price=second.completion_unit_price,
        completion_price_unit=second.completion_price_unit,
        completion_price=_money(first.completion_price, second.completion_price),
        total_tokens=first.total_tokens + second.total_tokens,
        total_price=_money(first.total_price, second.total_price),
        currency=second.currency,
        latency=first.latency + second.latency,
        time_to_first_token=first.time_to_first_token if first.time_to_first_token is not None else second.time_to_first_token,
        time_to_generate=_seconds(first.time_to_generate, second.time_to_generate),
    )


def _money(first: str, second: str) -> str:
    return str(Decimal(first) + Decimal(second))


def _seconds(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second
