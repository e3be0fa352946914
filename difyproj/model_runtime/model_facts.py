"""Facts about models (context size, features, parameter rules, prices), read from facts/*.yaml when first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from .base import ModelType

FOLDER = Path(__file__).parent / "facts"
DEFAULT_CONTEXT = 32_768
DEFAULT_OUTPUT = 4_096


@dataclass(frozen=True, slots=True)
class ParameterRule:
    """One parameter a model takes. ``type``: float, int, string, text, boolean."""

    name: str
    label: str
    type: str = "float"
    required: bool = False
    default: Any = None
    min: float | None = None
    max: float | None = None
    precision: int | None = None
    options: Sequence[str] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class Prices:
    """Decimal strings: ``input`` and ``output`` are the price of ``1 / unit`` tokens in ``currency``."""

    input: str = "0"
    output: str = "0"
    unit: str = "0.000001"
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Voice:
    value: str
    label: str
    languages: Sequence[str] = ("en-US", "zh-Hans")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """``known`` is False for a model that no facts file names: it works with the defaults.

    ``context_size`` and ``max_output`` are tokens, ``batch_size`` texts per embedding call. ``features`` are Dify's words
    (vision, tool-call, ...), ``quirks`` ours for what a model's wire does differently. The feature ``dimensions`` is ours,
    too: an embedding model whose vectors may be cut short.
    """

    provider: str
    model: str
    label: str
    model_type: ModelType = ModelType.LLM
    mode: str = "chat"
    context_size: int = DEFAULT_CONTEXT
    max_output: int = DEFAULT_OUTPUT
    features: frozenset[str] = frozenset()
    parameter_rules: Sequence[ParameterRule] = ()
    prices: Prices = Prices()
    deprecated: bool = False
    known: bool = True
    voices: Sequence[Voice] = ()
    batch_size: int = 16
    quirks: frozenset[str] = frozenset()

    def rule(self, name: str) -> ParameterRule | None:
        return next((rule for rule in self.parameter_rules if rule.name == name), None)


def listed(provider: str) -> Mapping[tuple[ModelType, str], ModelFacts]:
    """All models that the provider's facts file names, in the file's order."""
    return _read(provider)[0]


@lru_cache(maxsize=1024)
def find(provider: str, model: str, model_type: ModelType) -> ModelFacts:
    """Facts of a model. A dated or tagged variant of a known name has that name's facts, any other the file's defaults."""
    known, fallback = _read(provider)
    exact = known.get((model_type, model))
    if exact is not None:
        return exact
    family = max((name for kind, name in known if kind is model_type and _extends(model, name)), key=len, default="")
    if family:
        return replace(known[model_type, family], model=model, label=model, known=False)
    return replace(fallback, model=model, label=model, model_type=model_type)


def _extends(model: str, name: str) -> bool:
    return model.startswith(name) and model[len(name)] in "-:@."


@cache
def _read(provider: str) -> tuple[dict[tuple[ModelType, str], ModelFacts], ModelFacts]:
    path = FOLDER / f"{provider}.yaml"
    raw = _yaml(path) if path.is_file() else {}
    shared = {"unit": raw.get("unit", "0.000001"), "currency": raw.get("currency", "USD")}
    known = {}
    for model_type in ModelType:
        for name, row in (raw.get(model_type.value) or {}).items():
            known[model_type, str(name)] = _facts(provider, str(name), model_type, row or {}, shared)
    fallback = _facts(provider, "", ModelType.LLM, {"parameters": "chat", **(raw.get("unknown") or {})}, shared)
    return known, replace(fallback, known=False)


def _facts(provider: str, name: str, model_type: ModelType, row: dict[str, Any], shared: dict[str, str]) -> ModelFacts:
    price = [str(amount) for amount in row.get("price") or ("0", "0")]
    output = int(row.get("output", DEFAULT_OUTPUT))
    rules = row.get("parameters", "chat") if model_type is ModelType.LLM else ()
    return ModelFacts(
        provider=provider,
        model=name,
        label=str(row.get("label", name)),
        model_type=model_type,
        mode=row.get("mode", "chat"),
        context_size=int(row.get("context", DEFAULT_CONTEXT)),
        max_output=output,
        features=frozenset(row.get("features") or ()),
        parameter_rules=_rules(rules, output),
        prices=Prices(price[0], price[1] if len(price) > 1 else "0", str(row.get("unit", shared["unit"])), shared["currency"]),
        deprecated=bool(row.get("deprecated", False)),
        voices=tuple(Voice(str(value), str(label)) for value, label in (row.get("voices") or {}).items()),
        batch_size=int(row.get("batch", 16)),
        quirks=frozenset(row.get("quirks") or ()),
    )


def _rules(wanted: str | Sequence[Any], max_output: int) -> tuple[ParameterRule, ...]:
    """``wanted`` names a set of rules, or lists rules by name or in full."""
    raw = _parameters()
    names = raw["sets"][wanted] if isinstance(wanted, str) else wanted
    rules = []
    for item in names:
        if isinstance(item, str):
            fields = {"name": item, **raw["rules"][item]}
        else:
            fields = {**raw["rules"].get(item["name"], {}), **item}
        if fields["name"] == "max_tokens" and "max" not in fields:
            fields["max"] = max_output
        rules.append(ParameterRule(**{"label": fields["name"], **fields}))
    return tuple(rules)


@cache
def _parameters() -> dict[str, Any]:
    return _yaml(FOLDER / "_parameters.yaml")


def _yaml(path: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    return parsed
