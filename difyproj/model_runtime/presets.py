"""Presets: servers of the OpenAI wire as rows of facts/presets.yaml instead of code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from .base import CredentialField, ModelType
from .model_facts import FOLDER
from .wires.openai_body import Dialect


@dataclass(frozen=True, slots=True)
class Preset:
    """``base_url`` is empty when only the tenant knows it; ``choices`` maps a select field to the URL of its value."""

    name: str
    label: str
    base_url: str
    key_field: str
    key_required: bool
    url_field: str
    versioned: bool
    model_types: frozenset[ModelType]
    dialect: Dialect
    validate_path: str
    validate_model: str
    aliases: Sequence[str] = ()
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def credential_fields(self) -> tuple[CredentialField, ...]:
        key = CredentialField(self.key_field, "API Key", required=self.key_required)
        required = not self.base_url
        url = CredentialField(self.url_field, "API Base URL", "text-input", required=required, placeholder=self.base_url)
        selects = [CredentialField(name, name, "select", False, options=tuple(urls)) for name, urls in self.choices.items()]
        return (url, key, *selects) if required else (key, url, *selects)


@cache
def rows() -> Mapping[str, Preset]:
    """All presets by name, in the file's order."""
    raw: dict[str, dict[str, Any]] = yaml.load((FOLDER / "presets.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
    return {name: _preset(name, row) for name, row in raw.items()}


@cache
def aliases() -> Mapping[str, str]:
    return {alias: preset.name for preset in rows().values() for alias in preset.aliases}


def _preset(name: str, row: dict[str, Any]) -> Preset:
    return Preset(
        name=name,
        label=row["label"],
        base_url=row.get("base_url", ""),
        key_field=row.get("key_field", "api_key"),
        key_required=row.get("key_required", True),
        url_field=row.get("url_field", "endpoint_url"),
        versioned=row.get("versioned", False),
        model_types=frozenset(ModelType(kind) for kind in row.get("types", ["llm"])),
        dialect=Dialect(**row.get("dialect", {})),
        validate_path=row.get("validate_path", "models"),
        validate_model=row.get("validate_model", ""),
        aliases=tuple(row.get("aliases", ())),
        choices=row.get("choices", {}),
    )
