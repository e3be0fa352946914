"""Text to JSON-like values: YAML that may come from anybody, within limits that hold before anything is built."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

import yaml

from .errors import DslError

LARGEST_BYTES: Final = 10 * 1024 * 1024
MOST_VALUES: Final = 200_000
"""Scalars, lists and mappings, each counted as often as aliases repeat it."""
DEEPEST: Final = 64
LONGEST_NUMBER: Final = 100
_JSON_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))
# A scalar that looks like a date stays a text, and so does a bare "=": JSON has neither.
_NO_JSON: Final = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"})
_BUILDING: Final = (yaml.YAMLError, ValueError, TypeError, LookupError, OverflowError, RecursionError)


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rows if tag not in _NO_JSON]
        for first, rows in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def _number(build: Callable[[Any, yaml.ScalarNode], Any]) -> Callable[[Any, yaml.ScalarNode], Any]:
    """A number that is longer than any means a text: YAML's numbers of base 60 take ages when they are long."""
    return lambda loader, node: build(loader, node) if len(node.value) <= LONGEST_NUMBER else node.value


_Loader.add_constructor("tag:yaml.org,2002:int", _number(yaml.CSafeLoader.construct_yaml_int))
_Loader.add_constructor("tag:yaml.org,2002:float", _number(yaml.CSafeLoader.construct_yaml_float))


def read(content: str | bytes) -> dict[str, Any]:
    """The mapping that a DSL file holds, also when it is wrapped in the JSON of an export's answer.

    Raises DslError for what is too large, too deep or repeats itself without end, for tags that make objects, and for values
    that no database keeps.
    """
    text = _decoded(content)
    value = _json(text)
    if isinstance(value, dict) and isinstance(value.get("data"), str) and "app" not in value:
        text = _decoded(value["data"])
        value = _json(text)
    if value is None:
        value = _yaml(text)
    if not isinstance(value, Mapping):
        raise DslError("Invalid YAML format: content must be a mapping")
    found: dict[str, Any] = _Plain().of(value, 0)
    return found


def _decoded(content: str | bytes) -> str:
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        size = len(text.encode("utf-8"))
    except UnicodeError:
        raise DslError("Invalid YAML format: the text is not UTF-8") from None
    if size > LARGEST_BYTES:
        raise DslError("File size exceeds the limit of 10MB")
    return text.removeprefix("\ufeff")


def _json(text: str) -> Any:
    """What JSON the text is; None when it is something else. (YAML reads most of JSON, but not its escaped emojis.)"""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _yaml(text: str) -> Any:
    try:
        _weigh(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe loader
    except DslError:
        raise
    except _BUILDING as error:
        raise DslError(f"Invalid YAML format: {_told(error)}") from None


def _told(error: Exception) -> str:
    """Where it is and what, never the text around it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem}, line {mark.line + 1}, column {mark.column + 1}"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _weigh(text: str) -> None:
    """Count what the document will be once its aliases are written out, without building any of it."""
    weights: dict[str, tuple[int, int]] = {}
    begun: list[tuple[str | None, int, int]] = []
    values = size = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in weights:
                raise DslError(f"Invalid YAML format: the alias *{event.anchor} has no anchor before it, or is inside of it")
            more_values, more_size = weights[event.anchor]
            values, size = values + more_values, size + more_size
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, values_before, size_before = begun.pop()
            if anchor is not None:
                weights[anchor] = (values - values_before, size - size_before)
        elif isinstance(event, yaml.NodeEvent):
            _check_tag(event)
            values += 1
            if isinstance(event, yaml.ScalarEvent):
                size += len(event.value)
                if event.anchor is not None:
                    weights[event.anchor] = (1, len(event.value))
            else:
                begun.append((event.anchor, values - 1, size))
        if values > MOST_VALUES or size > LARGEST_BYTES or len(begun) > DEEPEST:
            raise _too_much(len(begun) > DEEPEST)


def _check_tag(event: yaml.NodeEvent) -> None:
    tag = getattr(event, "tag", None)
    if tag not in (None, "!") and tag not in _JSON_TAGS:
        raise DslError(f"Invalid YAML format: the tag {str(tag)[:100]} is not allowed")


def _too_much(is_deep: bool) -> DslError:
    return DslError(
        f"The file is nested more than {DEEPEST} levels deep" if is_deep else f"The file holds more than {MOST_VALUES} values"
    )


class _Plain:
    """Copies a loaded document into what JSON can hold: keys are texts, and a number that JSON lacks stays its text."""

    def __init__(self) -> None:
        self._values = 0

    def of(self, value: Any, depth: int) -> Any:
        self._values += 1
        if depth > DEEPEST or self._values > MOST_VALUES:
            raise _too_much(depth > DEEPEST)
        if isinstance(value, str):
            return _kept(value)
        if isinstance(value, Mapping):
            return {_key(name): self.of(item, depth + 1) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            return value if -(2**63) <= value < 2**64 else str(value)
        return value if isfinite(value) else str(value)


def _key(name: Any) -> str:
    if isinstance(name, str):
        return _kept(name)
    return json.dumps(name) if name is None or isinstance(name, bool) else str(name)


def _kept(text: str) -> str:
    if "\0" in text:
        raise DslError("The file holds a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise DslError("The file holds half of a surrogate pair") from None
    return text
