"""The models a tenant has: those its providers list and those it named itself, with what each is good for right now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from accounts.models import DefaultModel, ModelCredential, ModelSetting
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import ModelType
from difyproj.model_runtime.model_facts import ModelFacts

from . import credentials, model_settings

OUR_FEATURES = frozenset({"dimensions"})
"""Features that are no words of Dify's."""


class ModelStatus(StrEnum):
    ACTIVE = "active"
    NO_CONFIGURE = "no-configure"
    DISABLED = "disabled"


class FetchFrom(StrEnum):
    PREDEFINED = "predefined-model"
    CUSTOM = "customizable-model"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model as the settings and the model selector show it. ``provider`` is the catalogue's own name."""

    provider: str
    model: str
    label: str
    model_type: ModelType
    features: Sequence[str] | None
    fetch_from: FetchFrom
    model_properties: Mapping[str, Any]
    deprecated: bool
    status: ModelStatus
    load_balancing_enabled: bool
    has_invalid_load_balancing_configs: bool

    @property
    def is_usable(self) -> bool:
        return self.status is ModelStatus.ACTIVE and not self.deprecated


class Inventory:
    """A tenant's credentials, settings and default models, read in three queries."""

    def __init__(self, tenant_id: UUID) -> None:
        rows = ModelCredential.objects.for_tenant(tenant_id).select_related("tenant")
        self._credentials = sorted(rows, key=credentials.precedence)
        self._settings = {(row.provider, row.model_type, row.model): row for row in ModelSetting.objects.for_tenant(tenant_id)}
        self._defaults = list(DefaultModel.objects.for_tenant(tenant_id))

    def wide(self, provider: str) -> list[ModelCredential]:
        """Credentials of the whole provider, the preferred one first."""
        return [row for row in self._credentials if row.provider == provider and not row.model]

    def own(self, provider: str) -> dict[tuple[str, str], list[ModelCredential]]:
        """Credentials of custom models by model type and name."""
        found: dict[tuple[str, str], list[ModelCredential]] = {}
        for row in self._credentials:
            if row.provider == provider and row.model:
                found.setdefault((row.model_type, row.model), []).append(row)
        return found

    def is_configured(self, provider: str) -> bool:
        """Whether some model of the provider can be called."""
        return self._opens(provider) or any(row.enabled for rows in self.own(provider).values() for row in rows)

    def models(self, provider: str, model_type: ModelType | None = None) -> list[ModelEntry]:
        """The provider's models: the listed ones in the catalogue's order, then those that the tenant named."""
        own = self.own(provider)
        listed = {(facts.model_type.value, facts.model): facts for facts in catalogue.models(provider)}
        chosen = {(row.model_type, row.model) for row in self._defaults if row.provider == provider}
        named = [key for key in (*own, *sorted(chosen - own.keys())) if key not in listed]
        entries = [self._entry(provider, facts, FetchFrom.PREDEFINED, own.get(key, [])) for key, facts in listed.items()]
        entries += [self._entry(provider, _told(provider, key, own), FetchFrom.CUSTOM, own.get(key, [])) for key in named]
        return [entry for entry in entries if model_type in (None, entry.model_type)]

    def _opens(self, provider: str) -> bool:
        """Whether there is a credential for every model, or none is needed."""
        needed = any(field.required for field in catalogue.provider_class(provider).credential_fields)
        return not needed or any(row.enabled for row in self.wide(provider))

    def _entry(self, provider: str, facts: ModelFacts, fetch_from: FetchFrom, own: list[ModelCredential]) -> ModelEntry:
        setting = self._settings.get((provider, facts.model_type.value, facts.model))
        balanced = setting is not None and setting.load_balancing_enabled
        usable, wide = [row for row in own if row.enabled], [row for row in self.wide(provider) if row.enabled]
        status = ModelStatus.ACTIVE if usable or self._opens(provider) else ModelStatus.NO_CONFIGURE
        return ModelEntry(
            provider=provider,
            model=facts.model,
            label=facts.label,
            model_type=facts.model_type,
            features=sorted(facts.features - OUR_FEATURES) or None,
            fetch_from=fetch_from,
            model_properties=_properties(facts),
            deprecated=facts.deprecated,
            status=ModelStatus.DISABLED if setting is not None and not setting.enabled else status,
            load_balancing_enabled=balanced,
            has_invalid_load_balancing_configs=balanced and len(model_settings.serving(setting, usable, wide)) < 2,
        )


def _told(provider: str, key: tuple[str, str], own: Mapping[tuple[str, str], list[ModelCredential]]) -> ModelFacts:
    """What is known of a model that the tenant named; its credential may say more."""
    model_type, model = key
    rows = own.get(key)
    return catalogue.facts(provider, model, ModelType(model_type), credentials.get_values(rows[0]) if rows else None)


def _properties(facts: ModelFacts) -> dict[str, Any]:
    match facts.model_type:
        case ModelType.LLM:
            return {"mode": facts.mode, "context_size": facts.context_size}
        case ModelType.TEXT_EMBEDDING:
            return {"context_size": facts.context_size, "max_chunks": facts.batch_size}
        case ModelType.RERANK:
            return {"context_size": facts.context_size}
        case ModelType.TTS:
            voices = [{"mode": voice.value, "name": voice.label, "language": list(voice.languages)} for voice in facts.voices]
            return {"voices": voices, "default_voice": voices[0]["mode"] if voices else None}
        case _:
            return {}
