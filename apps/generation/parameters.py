"""A caller's own model parameters, held to what the app and its model allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime.model_facts import ModelFacts, ParameterRule
from workflows.engine.prompt import number

STOP: Final = "stop"
MAX_TOKENS: Final = "max_tokens"
# Without these the answer would have another form than the caller can read, so they are refused, not left out.
_NEEDED: Final = frozenset({"response_format", "json_schema"})


def over(own: Mapping[str, Any], wanted: Mapping[str, Any], facts: ModelFacts) -> dict[str, Any]:
    """The app's parameters with the caller's over them.

    Stop words are added to the app's. ``max_tokens`` never goes above the app's own or the model's most. What the model has
    no parameter for is left out. Raises InvalidParam for a value outside of the model's rule.
    """
    chosen = dict(own)
    for name, value in wanted.items():
        if name == STOP:
            chosen[STOP] = list(dict.fromkeys([*_words(own.get(STOP)), *_words(value)]))
            continue
        rule = facts.rule(name)
        if rule is None:
            if name in _NEEDED:
                raise InvalidParam(f"The app's model takes no {name}.", params=name)
            continue
        chosen[name] = _at_most(value, rule, own.get(name)) if name == MAX_TOKENS else _checked(value, rule)
    return chosen


def _at_most(value: Any, rule: ParameterRule, own: Any) -> int:
    limits = [limit for limit in (number(rule.max), number(own)) if limit > 0]
    return int(_checked(min([value, *limits]), rule))


def _checked(value: Any, rule: ParameterRule) -> Any:
    if rule.options and value not in rule.options:
        raise InvalidParam(f"{rule.name} must be one of these: {', '.join(rule.options)}.", params=rule.name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if rule.min is not None and value < rule.min:
            raise InvalidParam(f"{rule.name} must be at least {rule.min:g} for the app's model.", params=rule.name)
        if rule.max is not None and value > rule.max:
            raise InvalidParam(f"{rule.name} must be at most {rule.max:g} for the app's model.", params=rule.name)
    return value


def _words(given: Any) -> Sequence[str]:
    return [given] if isinstance(given, str) else list(given or ())
