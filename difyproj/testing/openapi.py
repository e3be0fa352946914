"""An OpenAPI 3.0 document as a judge of answers: what it forbids, what it names and is not there, what it does not name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema_rs

from difyproj.kernel import jsonio

METHODS = ("get", "post", "put", "patch", "delete")
ANNOTATIONS = frozenset({"example", "examples", "description", "title", "discriminator", "default", "readOnly", "xml"})
# What some documents call the formats that JSON Schema names otherwise.
FORMATS = {"url": "uri"}


@dataclass(frozen=True, slots=True, order=True)
class Deviation:
    """``kind``: ``invalid`` (the schema forbids it), ``absent`` (named, not sent), ``more`` (sent, not named), ``status``."""

    kind: str
    place: str
    text: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.place, self.text)))


@dataclass
class Document:
    """One OpenAPI document. References are resolved inside of it."""

    content: Mapping[str, Any]
    _validators: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Document:
        return cls(jsonio.loads(path.read_bytes()))

    def operations(self) -> list[tuple[str, str]]:
        """Method (upper case) and path template of every operation."""
        paths = self.content["paths"].items()
        return [(method.upper(), path) for path, found in paths for method in METHODS if method in found]

    def answer(self, method: str, path: str, status: int, media_type: str, body: Any) -> list[Deviation]:
        """What is wrong with an answer of the operation. ``body`` is parsed JSON, or anything for other media types."""
        responses = self.content["paths"][path][method.lower()]["responses"]
        if str(status) not in responses:
            return [Deviation("status", str(status), "is not among the documented ones")]
        response = self._resolved(responses[str(status)])
        content = response.get("content") or {}
        if status >= 400:
            return self._refusal(response, content, body)
        if not content:
            return [] if body is None else [Deviation("more", "$", "a body where none is documented")]
        if not any(fnmatch(media_type, known) for known in content):
            return [Deviation("invalid", "Content-Type", media_type)]
        if media_type != "application/json":
            return []
        return self._judged(f"{method} {path} {status}", content[media_type].get("schema") or {}, body)

    def record(self, method: str, path: str, families: Sequence[str], record: Mapping[str, Any]) -> list[Deviation]:
        """What is wrong with one record of the operation's stream.

        Where the path describes the stream in words only, its component is the first of ``families`` that there is.
        """
        content = self.content["paths"][path][method.lower()]["responses"]["200"]["content"]
        schema = content["text/event-stream"]["schema"]
        family = schema if "discriminator" in schema else self._resolved(schema)
        if "discriminator" not in family:
            components = self.content["components"]["schemas"]
            family = next(components[name] for name in families if name in components)
        event = str(record.get("event"))
        mapped = family["discriminator"]["mapping"].get(event)
        if mapped is None:
            return [Deviation("invalid", "event", f"{event} is not documented")]
        return self._judged(mapped, {"$ref": mapped}, record)

    def _refusal(self, response: Mapping[str, Any], content: Mapping[str, Any], body: Any) -> list[Deviation]:
        """Refusals are described by a schema, or in words that list their codes."""
        schema = (content.get("application/json") or {}).get("schema")
        if schema:
            return self._judged(str(schema), schema, body)
        codes = re.findall(r"`([a-z_]+)`\s*:", response.get("description", ""))
        if codes and body.get("code") not in codes:
            return [Deviation("invalid", "code", f"{body.get('code')} is not among {', '.join(sorted(set(codes)))}")]
        return []

    def _judged(self, name: str, schema: Mapping[str, Any], value: Any) -> list[Deviation]:
        if name not in self._validators:
            whole = {**self._json_schema(schema), "components": self._components}
            self._validators[name] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        found = {
            Deviation("invalid", _place(error.instance_path), _short(error.message))
            for error in self._validators[name].iter_errors(value)
        }
        return sorted(found | set(self._names(schema, value, "$")))

    @cached_property
    def _components(self) -> Any:
        return self._json_schema(self.content["components"])

    def _json_schema(self, part: Any) -> Any:
        """OpenAPI 3.0's dialect as JSON Schema: ``nullable`` and the formats."""
        if isinstance(part, list):
            return [self._json_schema(item) for item in part]
        if not isinstance(part, Mapping):
            return part
        made = {
            name: self._json_schema(value) for name, value in part.items() if name not in ANNOTATIONS or _is_property(value)
        }
        if isinstance(made.get("format"), str):
            made["format"] = FORMATS.get(made["format"], made["format"])
        if made.pop("nullable", False) is True:
            return {"anyOf": [made, {"type": "null"}]}
        return made

    def _names(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[Deviation]:
        """Differences in names, through the objects and lists that the schema describes."""
        if isinstance(value, list):
            items = self._resolved(schema).get("items") or {}
            for item in value:
                yield from self._names(items, item, f"{place}[]")
        if not isinstance(value, Mapping):
            return
        named, is_open = self._properties(schema)
        if not named:
            return
        if not self._resolved(schema).get("required"):  # one that knows the word needs no help
            yield from (Deviation("absent", f"{place}.{name}") for name in named if name not in value)
        if not is_open:
            yield from (Deviation("more", f"{place}.{name}") for name in value if name not in named)
        for name, inner in named.items():
            if name in value:
                yield from self._names(inner, value[name], f"{place}.{name}")

    def _properties(self, schema: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """The properties that a schema names, and whether it says that there may be others."""
        resolved = self._resolved(schema)
        named, is_open = dict(resolved.get("properties") or {}), bool(resolved.get("additionalProperties"))
        for part in resolved.get("allOf") or ():
            more, also_open = self._properties(part)
            named, is_open = named | more, is_open or also_open
        return named, is_open

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            found: Any = self.content
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            schema = found
        return schema


def _is_property(value: Any) -> bool:
    """Whether ``value`` is the schema of a property that is called like an annotation."""
    return isinstance(value, Mapping) and bool({"type", "$ref", "oneOf", "anyOf", "allOf", "nullable"} & set(value))


def _place(path: list[str | int]) -> str:
    return "$" + "".join("[]" if isinstance(step, int) else f".{step}" for step in path)


def _short(message: str) -> str:
    return message if len(message) <= 160 else f"{message[:157]}..."
