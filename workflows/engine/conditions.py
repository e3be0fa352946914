"""Conditions on variables, as branches, loops and list filters state them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from difyproj.kernel.errors import InvalidParam

from . import template
from .pool import MISSING, VariablePool
from .values import FILE_PARTS, file_part, is_file, is_list

Logic = Literal["and", "or"]

_EACH_FILE: Final = frozenset({"contains", "not contains", "all of"})
_PRESENCE: Final = frozenset({"exists", "not exists"})


class SubCondition(msgspec.Struct, frozen=True):
    """A condition on the part ``key`` of a file."""

    key: str = ""
    comparison_operator: str = ""
    value: Any = None


class SubConditions(msgspec.Struct, frozen=True):
    logical_operator: Logic | None = "and"
    conditions: list[SubCondition] = []


class Condition(msgspec.Struct, frozen=True):
    """``value`` may hold references. ``sub_variable_condition`` is what a list of files is asked."""

    variable_selector: tuple[str, ...] | None = ()
    comparison_operator: str = ""
    value: Any = None
    var_type: str | None = msgspec.field(default=None, name="varType")
    sub_variable_condition: SubConditions | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``compared`` tells actual and expected values, ``results`` one answer per condition that was looked at."""

    holds: bool
    results: Sequence[bool]
    compared: Sequence[Mapping[str, Any]]


def judge(conditions: Sequence[Condition], pool: VariablePool, *, logic: Logic | None, field: str) -> Verdict:
    """Whether all (``and``) or any (``or``) of ``conditions`` hold; looks no further than it must.

    Raises InvalidParam for a variable that does not exist and a comparison that makes no sense; ``params`` is the
    condition's place below ``field``.
    """
    wanted = logic == "or"
    results: list[bool] = []
    compared: list[Mapping[str, Any]] = []
    for index, condition in enumerate(conditions):
        try:
            results.append(_holds(condition, pool, compared))
        except (ValueError, OverflowError) as error:
            raise InvalidParam(f"{error}", params=f"{field}.{index}") from error
        if results[-1] is wanted:
            return Verdict(wanted, results, compared)
    return Verdict(not wanted, results, compared)


def compare(actual: Any, name: str, expected: Any) -> bool:
    """Apply the comparison operator ``name``. Raises ValueError or OverflowError where it makes no sense."""
    try:
        function = _OPERATORS[name]
    except KeyError:
        raise ValueError(f"The comparison operator {name!r} is not known.") from None
    return function(actual, expected)


def rendered(value: Any, pool: VariablePool) -> Any:
    """An expected value with its references filled in."""
    return template.parse(value).render(pool) if isinstance(value, str) else value


def _holds(condition: Condition, pool: VariablePool, compared: list[Mapping[str, Any]]) -> bool:
    selector, name = condition.variable_selector or (), condition.comparison_operator
    actual = pool.get(selector, MISSING)
    if actual is MISSING:
        raise ValueError(f"Variable {'.'.join(selector)} not found.")
    if name in _EACH_FILE and _is_files(actual, condition):
        if condition.sub_variable_condition is None:
            raise ValueError(f"{name!r} on a list of files needs a condition on the files.")
        return _files_hold(actual, condition.sub_variable_condition, pool)
    if name in _PRESENCE:
        return compare(actual, name, None)
    expected = _expected(actual, rendered(condition.value, pool))
    compared.append({"actual_value": actual, "expected_value": expected, "comparison_operator": name})
    return compare(actual, name, expected)


def _is_files(actual: Any, condition: Condition) -> bool:
    if not is_list(actual):
        return False
    stated = condition.var_type == "array[file]" or condition.sub_variable_condition is not None
    return all(is_file(item) for item in actual) if actual else stated


def _files_hold(files: Sequence[Mapping[str, Any]], asked: SubConditions, pool: VariablePool) -> bool:
    """Each condition must hold for some file, or for every file when its operator negates."""
    results = []
    for each in asked.conditions:
        if each.key not in FILE_PARTS:
            raise ValueError(f"A file has no {each.key!r}.")
        expected = rendered(each.value, pool)
        if each.key == "extension":
            expected = _dotted(expected)
        answers = [compare(_part(file, each.key), each.comparison_operator, expected) for file in files]
        results.append(all(answers) if "not" in each.comparison_operator else any(answers))
    return any(results) if asked.logical_operator == "or" else all(results)


def _part(file: Mapping[str, Any], key: str) -> Any:
    value = file_part(file, key)
    return _dotted(value) if key == "extension" else value


def _dotted(value: Any) -> Any:
    if is_list(value):
        return [_dotted(item) for item in value]
    return f".{value}" if isinstance(value, str) and value and not value.startswith(".") else value


def _expected(actual: Any, expected: Any) -> Any:
    """Booleans are compared with booleans: their expected values are read from JSON text."""
    if isinstance(actual, bool) or (is_list(actual) and actual and all(isinstance(item, bool) for item in actual)):
        if is_list(expected):
            return [_boolean(item) for item in expected]
        return None if expected is None else _boolean(expected)
    return expected


def _boolean(value: Any) -> bool:
    if isinstance(value, int):
        return bool(value)
    if value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, str):
        raise ValueError("The expected value must be true or false.")
    try:
        return bool(int(value))
    except ValueError:
        raise ValueError("The expected value must be true or false.") from None


def _contains(actual: Any, expected: Any) -> bool:
    if not actual:
        return False
    if isinstance(actual, str):
        return (expected if isinstance(expected, str) else str(expected)) in actual
    if not is_list(actual):
        raise ValueError("Only a text or a list can contain something.")
    return expected in actual


def _starts_or_ends(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def function(actual: Any, expected: Any) -> bool:
        if not actual:
            return False
        if not isinstance(actual, str) or not isinstance(expected, str):
            raise ValueError("Only a text can start or end with a text.")
        return test(actual, expected)

    return function


def _is(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def function(actual: Any, expected: Any) -> bool:
        if actual is None:
            return False
        if not isinstance(actual, str | bool):
            raise ValueError("'is' and 'is not' compare texts and booleans.")
        return bool(test(actual, expected))

    return function


def _equals(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    """The expected value is read as what the actual value is: 3 cannot be compared with "3.5"."""

    def function(actual: Any, expected: Any) -> bool:
        if actual is None:
            return False
        if not isinstance(actual, int | float):
            raise ValueError("'=' and '≠' compare numbers.")
        if not isinstance(expected, int | float | str):
            raise ValueError("The expected value must be a number.")
        try:
            return bool(test(actual, type(actual)(expected)))
        except ValueError:
            raise ValueError(f"The expected value {_short(expected)} is not a number like the actual one.") from None

    return function


def _orders(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def function(actual: Any, expected: Any) -> bool:
        if actual is None:
            return False
        if not isinstance(actual, int | float):
            raise ValueError("Only numbers can be more or less than a number.")
        return bool(test(actual, number(expected)))

    return function


def number(value: Any) -> int | float:
    """``value`` as a number; texts are read. Raises ValueError."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    raise ValueError(f"The expected value {_short(value)} is not a number.")


def _in(actual: Any, expected: Any) -> bool:
    if not actual:
        return False
    if not is_list(expected):
        raise ValueError("The expected value of 'in' must be a list.")
    return actual in expected


def _all_of(actual: Any, expected: Any) -> bool:
    if not is_list(expected) or not (_all(expected, str) or _all(expected, bool)):
        raise ValueError("'all of' expects a list of texts or a list of booleans.")
    if isinstance(actual, str):
        return bool(actual) and all(isinstance(item, str) and item in actual for item in expected)
    return is_list(actual) and bool(actual) and all(item in actual for item in expected)


def _all(items: Sequence[Any], kind: type) -> bool:
    return all(isinstance(item, kind) for item in items)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "contains": _contains,
    "not contains": lambda actual, expected: not _contains(actual, expected),
    "start with": _starts_or_ends(str.startswith),
    "end with": _starts_or_ends(str.endswith),
    "is": _is(operator.eq),
    "is not": _is(operator.ne),
    "empty": lambda actual, _: not actual,
    "not empty": lambda actual, _: bool(actual),
    "in": _in,
    "not in": lambda actual, expected: not _in(actual, expected),
    "all of": _all_of,
    "=": _equals(operator.eq),
    "≠": _equals(operator.ne),
    ">": _orders(operator.gt),
    "<": _orders(operator.lt),
    "≥": _orders(operator.ge),
    "≤": _orders(operator.le),
    "null": lambda actual, _: actual is None,
    "not null": lambda actual, _: actual is not None,
    "exists": lambda actual, _: actual is not None,
    "not exists": lambda actual, _: actual is None,
}
OPERATORS: Final = frozenset(_OPERATORS)
