"""What tokens cost, from the model's facts, in exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from .messages import TokenUsage
from .model_facts import ModelFacts

_STEP = Decimal("0.0000001")


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """Field for field the engine's Usage: prices are decimal strings, latency and times are seconds."""

    prompt_tokens: int = 0
    prompt_unit_price: str = "0"
    prompt_price_unit: str = "0.001"
    prompt_price: str = "0"
    completion_tokens: int = 0
    completion_unit_price: str = "0"
    completion_price_unit: str = "0.001"
    completion_price: str = "0"
    total_tokens: int = 0
    total_price: str = "0"
    currency: str = "USD"
    latency: float = 0.0
    time_to_first_token: float | None = None
    time_to_generate: float | None = None


def price(tokens: TokenUsage, facts: ModelFacts) -> PricedUsage:
    """Tokens times unit price times unit, rounded to seven places; a model without prices costs "0"."""
    prices = facts.prices
    prompt = _cost(tokens.prompt_tokens, prices.input, prices.unit)
    completion = _cost(tokens.completion_tokens, prices.output, prices.unit)
    return PricedUsage(
        prompt_tokens=tokens.prompt_tokens,
        prompt_unit_price=prices.input,
        prompt_price_unit=prices.unit,
        prompt_price=_text(prompt),
        completion_tokens=tokens.completion_tokens,
        completion_unit_price=prices.output,
        completion_price_unit=prices.unit,
        completion_price=_text(completion),
        total_tokens=tokens.total_tokens,
        total_price=_text(prompt + completion),
        currency=prices.currency,
    )


def _cost(tokens: int, unit_price: str, unit: str) -> Decimal:
    return (Decimal(tokens) * Decimal(unit_price) * Decimal(unit)).quantize(_STEP, ROUND_HALF_UP)


def _text(amount: Decimal) -> str:
    return format(amount, "f") if amount else "0"
