"""What code may return: exactly the declared outputs, each of its type and within the operator's limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidParam

from .kinds import element_of, is_array
from .ports import CodeLimits
from .values import is_list

_SCIENTIFIC: Final = re.compile(r"-?\d{1,30}(?:\.\d{0,30})?e[+-]\d{1,30}", re.IGNORECASE)
_WORDS: Final = {
    "string": "a string",
    "number": "a number",
    "boolean": "a boolean",
    "object": "an object",
}


class OutputValidationError(InvalidParam):
    """Code returned something else than the node declares."""


class Output(msgspec.Struct, frozen=True):
    """A declared output; ``children`` are the parts of an object, each of which it must have."""

    type: str = "string"
    children: dict[str, Output] | None = None


@dataclass(frozen=True, slots=True)
class Checker:
    """Passes on what is allowed and raises OutputValidationError for the rest."""

    limits: CodeLimits

    def outputs(
        self, result: Mapping[str, Any], declared: Mapping[str, Output], path: str = "", depth: int = 1
    ) -> dict[str, Any]:
        """The values by name; null is allowed for each. Raises OutputValidationError."""
        self._deep(depth)
        checked = {}
        for name, output in declared.items():
            place = f"{path}.{name}" if path else name
            if name not in result:
                raise OutputValidationError(f"Output {place} is missing.")
            checked[name] = self._typed(result[name], output, place, depth)
        if len(checked) != len(result):
            raise OutputValidationError("Not all output parameters are validated.")
        return checked

    def _typed(self, value: Any, output: Output, place: str, depth: int) -> Any:
        if value is None:
            return None
        if is_array(output.type):
            return self._array(value, output, place, depth)
        if output.type == "object":
            return self._object(value, output, place, depth)
        check = self._scalars().get(output.type)
        if check is None:
            raise OutputValidationError(f"Output type {output.type} is not supported.")
        return check(value, place)

    def _scalars(self) -> Mapping[str, Callable[[Any, str], Any]]:
        return {"string": self._string, "number": self._number, "boolean": self._boolean}

    def _object(self, value: Any, output: Output, place: str, depth: int) -> Any:
        if not isinstance(value, Mapping):
            raise self._wrong(value, "object", place)
        if output.children:
            return self.outputs(value, output.children, place, depth + 1)
        return self._anything(value, place, depth + 1)

    def _array(self, value: Any, output: Output, place: str, depth: int) -> list[Any]:
        element = element_of(output.type)
        most = {"string": self.limits.strings, "object": self.limits.objects}.get(element, self.limits.numbers)
        if element not in _WORDS:
            raise OutputValidationError(f"Output type {output.type} is not supported.")
        if not is_list(value):
            raise OutputValidationError(f"Output {place} is not an array, got {_name(value)} instead.")
        if len(value) > most:
            raise OutputValidationError(f"The length of output variable `{place}` must be less than {most} elements.")
        kind = Output(element)
        return [self._typed(item, kind, f"{place}[{index}]", depth) for index, item in enumerate(value)]

    def _string(self, value: Any, place: str) -> str:
        if not isinstance(value, str):
            raise self._wrong(value, "string", place)
        if len(value) > self.limits.string:
            raise OutputValidationError(
                f"The length of output variable `{place}` must be less than {self.limits.string} characters."
            )
        return str(jsonio.storable(value))

    def _boolean(self, value: Any, place: str) -> bool:
        if not isinstance(value, bool):
            raise self._wrong(value, "boolean", place)
        return value

    def _number(self, value: Any, place: str) -> int | float:
        """A truth value counts as 1 or 0, and a text such as ``1e+5`` as the number it writes."""
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, str) and len(value) <= 32 and _SCIENTIFIC.fullmatch(value):
            value = float(value)
        if not isinstance(value, int | float):
            raise self._wrong(value, "number", place)
        least, most = self.limits.smallest, self.limits.largest
        if not least <= value <= most:
            raise OutputValidationError(f"Output variable `{place}` is out of range, it must be between {least} and {most}.")
        if isinstance(value, float) and _decimals(value) > self.limits.decimals:
            raise OutputValidationError(
                f"Output variable `{place}` has too high precision, it must be less than {self.limits.decimals} digits."
            )
        return value

    def _anything(self, value: Any, place: str, depth: int) -> Any:
        """Inside an object whose parts are not declared."""
        if isinstance(value, str):
            return self._string(value, place)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value, place)
        self._deep(depth)
        if isinstance(value, Mapping):
            return {
                self._string(name, place): self._anything(item, f"{place}.{name}", depth + 1) for name, item in value.items()
            }
        return [self._anything(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(value)]

    def _deep(self, depth: int) -> None:
        if depth > self.limits.depth:
            raise OutputValidationError(f"Depth limit {self.limits.depth} reached, object too deep.")

    @staticmethod
    def _wrong(value: Any, kind: str, place: str) -> OutputValidationError:
        return OutputValidationError(f"Output {place} is not {_WORDS[kind]}, got {_name(value)} instead.")


def _decimals(value: float) -> int:
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _name(value: Any) -> str:
    kinds: Sequence[tuple[type | tuple[type, ...], str]] = (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "a string"),
        (Mapping, "an object"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "an array")
