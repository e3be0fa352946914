"""Conditions on what documents tell of themselves, as predicates.

Source of operators: Dify's contract (``metadata_filtering_conditions``). Texts are compared as they are written; numbers, also
written as texts, by value; moments as seconds of the epoch or as ISO dates. What a document does not tell meets ``empty``
alone.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from difyproj.kernel.errors import InvalidParam

MOST: Final = 100
FIELD: Final = "metadata_filtering_conditions"

Logic = Literal["and", "or"]


@dataclass(frozen=True, slots=True)
class Condition:
    name: str
    operator: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Filter:
    conditions: Sequence[Condition]
    logic: Logic = "and"

    @property
    def names(self) -> frozenset[str]:
        return frozenset(condition.name for condition in self.conditions)

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether a document with these facts meets it."""
        met = (_holds(condition, facts) for condition in self.conditions)
        return all(met) if self.logic == "and" else any(met)


def parse(raw: Any) -> Filter | None:
    """None where nothing is asked for. Raises InvalidParam.

    Conditions that compare with nothing say nothing: they are left out.
    """
    if not raw:
        return None
    if not isinstance(raw, Mapping):
        raise InvalidParam(f"{FIELD} must be an object.", params=FIELD)
    rows = raw.get("conditions") or ()
    if isinstance(rows, str) or not isinstance(rows, Sequence) or len(rows) > MOST:
        raise InvalidParam(f"{FIELD}.conditions must be a list of at most {MOST} conditions.", params=FIELD)
    logic = raw.get("logical_operator") or "and"
    if logic not in ("and", "or"):
        raise InvalidParam(f"{FIELD}.logical_operator must be and or or.", params=FIELD)
    found = [_condition(row) for row in rows]
    told = [one for one in found if one.operator in _LONELY or not _is_nothing(one.value)]
    return Filter(told, "or" if logic == "or" else "and") if told else None


def _condition(row: Any) -> Condition:
    name = row.get("name") if isinstance(row, Mapping) else None
    if not isinstance(name, str) or not name:
        raise InvalidParam(f"Each condition of {FIELD} names a metadata field.", params=FIELD)
    asked = row.get("comparison_operator")
    if not isinstance(asked, str) or asked not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise InvalidParam(f"{FIELD}: {asked!r} is no comparison operator; there are {known}.", params=FIELD)
    return Condition(name, asked, row.get("value"))


def _holds(condition: Condition, facts: Mapping[str, Any]) -> bool:
    told = facts.get(condition.name)
    return OPERATORS[condition.operator](told, condition.value)


def _is_nothing(value: Any) -> bool:
    return value is None or value == "" or value == []


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(value: Any) -> float | None:
    """Also of a moment."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
    except ValueError:
        return _moment(str(value))


def _moment(value: str) -> float | None:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _same(told: Any, value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_same(told, one) for one in value)
    if isinstance(told, int | float) or isinstance(value, int | float):
        one, other = _number(told), _number(value)
        if one is not None and other is not None:
            return one == other
    return _text(told) == _text(value)


def _among(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]


Predicate = Callable[[Any, Any], bool]


def _of_text(compare: Callable[[str, str], bool]) -> Predicate:
    def holds(told: Any, value: Any) -> bool:
        if _is_nothing(told):
            return False
        given = value if isinstance(value, list | tuple) else [value]
        return any(compare(_text(told), _text(one)) for one in given)

    return holds


def _of_number(compare: Callable[[float, float], bool]) -> Predicate:
    def holds(told: Any, value: Any) -> bool:
        one, other = _number(told), _number(value[0] if isinstance(value, list | tuple) and value else value)
        return one is not None and other is not None and compare(one, other)

    return holds


def _told_and(holds: Predicate) -> Predicate:
    return lambda told, value: not _is_nothing(told) and holds(told, value)


def _not(holds: Predicate) -> Predicate:
    return lambda told, value: not _is_nothing(told) and not holds(told, value)


_contains: Final = _of_text(lambda told, value: value in told)
_is: Final = _told_and(_same)
_in: Final = _told_and(lambda told, value: any(_same(told, one) for one in _among(value)))
_before: Final = _of_number(operator.lt)
_after: Final = _of_number(operator.gt)

OPERATORS: Final[dict[str, Predicate]] = {
    "contains": _contains,
    "not contains": _not(_contains),
    "start with": _of_text(str.startswith),
    "end with": _of_text(str.endswith),
    "is": _is,
    "is not": _not(_is),
    "empty": lambda told, value: _is_nothing(told),
    "not empty": lambda told, value: not _is_nothing(told),
    "in": _in,
    "not in": _not(_in),
    "=": _is,
    "≠": _not(_is),
    ">": _after,
    "<": _before,
    "≥": _of_number(operator.ge),
    "≤": _of_number(operator.le),
    "before": _before,
    "after": _after,
}
_LONELY: Final = ("empty", "not empty")
