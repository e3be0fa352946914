"""The DSL files of the tests, and what an export may lack of the file that was imported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from apps.dsl import document, plugins, reader, withheld, writer

FOLDER = Path(__file__).parent / "dsl"
FILES = sorted(FOLDER.iterdir())
NAMES = [file.name for file in FILES]
# What no export gives back: versions are ours, editors' choices and what leads into another workspace are dropped.
DROPPED = {"selected", "webhook_url", "webhook_debug_url", "subscription_id", "credential_id"}
EMPTY: tuple[Any, ...] = (None, "", [], {})


def text_of(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def raw_of(name: str) -> dict[str, Any]:
    return reader.read(text_of(name))


def parsed(name: str) -> document.Document:
    return document.parse(raw_of(name))


def exported(made: document.Document, *, secretly: bool = False) -> str:
    """As the services do it with rows in between."""
    rows = plugins.dependencies(made)
    open_ = withheld.without_addresses(made)
    return writer.write(document.compose(open_ if secretly else withheld.without_secrets(open_), rows))


def losses(source: Any, export: Any, path: str = "") -> Iterator[str]:
    """What ``export`` lacks of ``source``, as paths. Written anew, not with the product's own comparison."""
    if path in ("", "app") and isinstance(source, Mapping):
        icon = ("icon",) if source.get("icon_type") == "image" else ()
        source = {name: value for name, value in source.items() if name not in ("version", "kind", "icon_type", *icon)}
    if isinstance(source, Mapping) and isinstance(export, Mapping):
        for name, value in source.items():
            below = f"{path}.{name}".lstrip(".")
            if name in export:
                yield from losses(value, export[name], below)
            elif name not in DROPPED and value not in EMPTY:
                yield f"{below} is gone"
    elif isinstance(source, list) and isinstance(export, list) and len(source) <= len(export):
        for index, value in enumerate(source):
            yield from losses(value, export[index], f"{path}.{index}")
    elif not _same(source, export, path):
        yield f"{path}: {source!r} became {export!r}"


def _same(source: Any, export: Any, path: str) -> bool:
    is_id = path.endswith(".id") and re.match(r"workflow\.\w+_variables\.", path)
    if is_id and not _is_uuid(source):
        return _is_uuid(export)
    if source is None and isinstance(export, Mapping) and all(value in EMPTY for value in export.values()):
        return True  # null where a section belongs is an empty one
    if source is None and path.endswith(".value"):
        return not export  # and where a value belongs the type's zero
    return source == export or (source in EMPTY and export in EMPTY) or (source in EMPTY and path.startswith("app.icon"))


def _is_uuid(value: Any) -> bool:
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


def as_dify_reads(text: str) -> Any:
    return yaml.safe_load(text)
