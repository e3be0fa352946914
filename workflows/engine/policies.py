"""What a graph says about a node that fails: how often it is tried again, and what stands in for its outputs then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from difyproj.kernel import structs
from difyproj.kernel.errors import DomainError

from .kinds import NUMBERS, TEXTS, fits, is_array
from .node import Done, Node
from .spec import FAIL_BRANCH, SOURCE, GraphError, NodeSpec

DEFAULT_VALUE: Final = "default-value"
_MOST_RETRIES, _LONGEST_PAUSE = 10, 60.0


class Policy(msgspec.Struct, frozen=True):
    """``retries`` more tries, ``pause`` seconds before each; then ``strategy``, if there is one."""

    retries: int = 0
    pause: float = 0.0
    strategy: str = ""
    defaults: Mapping[str, Any] = {}

    def instead(self, error: DomainError) -> Done | None:
        """How a node ends whose failure is handled; None when it is not."""
        if not self.strategy:
            return None
        told = {"error_message": error.message, "error_type": type(error).__name__}
        handle = FAIL_BRANCH if self.strategy == FAIL_BRANCH else SOURCE
        return Done({**self.defaults, **told}, handle=handle)


NONE: Final = Policy()


class _Retry(msgspec.Struct, frozen=True):
    retry_enabled: bool | None = False
    max_retries: int | None = 0
    retry_interval: float | None = 0.0


class _DefaultValue(msgspec.Struct, frozen=True):
    key: str
    type: str = "string"
    value: Any = None


class _Stated(msgspec.Struct, frozen=True):
    """The part of a node's raw data that all types share."""

    retry_config: _Retry | None = None
    error_strategy: str | None = None
    default_value: list[_DefaultValue] | None = None


def read(spec: NodeSpec, kind: type[Node[Any]]) -> Policy:
    """The policy in the node's raw data; NONE for nodes built in code. Raises GraphError."""
    if (
        isinstance(spec.data, msgspec.Struct)
        or not isinstance(spec.data, Mapping)
        or not ("error_strategy" in spec.data or "retry_config" in spec.data)
    ):
        return NONE
    try:
        stated = structs.convert(spec.data, _Stated, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise GraphError(f"Node {spec.id!r}: {reason}.", params=f"nodes.{spec.id}.data{path.rstrip('`')}") from error
    strategy = "" if stated.error_strategy in (None, "none") else stated.error_strategy
    if strategy not in ("", DEFAULT_VALUE, FAIL_BRANCH):
        field = f"nodes.{spec.id}.data.error_strategy"
        raise GraphError(f"Node {spec.id!r}: the error strategy {strategy!r} is not known.", params=field)
    retry = stated.retry_config or _Retry()
    tries = min(retry.max_retries or 0, _MOST_RETRIES) if kind.retries and retry.retry_enabled else 0
    made = Policy(
        retries=max(tries, 0),
        pause=min(max((retry.retry_interval or 0.0) / 1000, 0.0), _LONGEST_PAUSE),
        strategy=strategy,
        defaults=_defaults(spec.id, stated.default_value or []) if strategy == DEFAULT_VALUE else {},
    )
    return made if made.retries or made.strategy else NONE


def _defaults(node_id: str, rows: list[_DefaultValue]) -> dict[str, Any]:
    values = {}
    for index, row in enumerate(rows):
        try:
            values[row.key] = _converted(row.value, row.type)
        except ValueError:
            told = f"Node {node_id!r}: the default value of {row.key!r} is no {row.type}."
            raise GraphError(told, params=f"nodes.{node_id}.data.default_value.{index}.value") from None
    return values


def _converted(value: Any, kind: str) -> Any:
    """``value`` as ``kind``: editors write numbers, objects and lists as text. Raises ValueError."""
    kind = kind.lower()
    if isinstance(value, str) and kind not in TEXTS:
        value = _read(value, kind)
    if not fits(value, kind):
        raise ValueError(kind)
    return value


def _read(text: str, kind: str) -> Any:
    if kind in NUMBERS:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(kind)
        return int(number) if number.is_integer() else number
    if kind in ("object", "boolean") or is_array(kind):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            raise ValueError(kind) from None
    return text
