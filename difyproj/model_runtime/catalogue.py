"""Every model provider and what is known of its models: one row per provider, presets and facts as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from difyproj.kernel.http import Egress
from difyproj.kernel.registry import Registry, UnknownEntry

from . import model_facts, presets
from .base import CredentialField, ModelType, Provider
from .model_facts import ModelFacts
from .providers.openai_api_compatible import bound

_ROOM = "difyproj.model_runtime.providers"
_PUBLIC_NAMES = {"gemini": "langgenius/gemini/google", "builtin": "builtin", "demo": "demo"}
_TOLD = {"vision_support": "vision", "function_calling_type": "tool-call", "function_call_support": "tool-call"}

PROVIDERS: Registry[type[Provider]] = Registry(
    "model provider",
    {
        "openai": f"{_ROOM}.openai:OpenAIProvider",
        "azure_openai": f"{_ROOM}.azure_openai:AzureOpenAIProvider",
        "anthropic": f"{_ROOM}.anthropic:AnthropicProvider",
        "gemini": f"{_ROOM}.gemini:GeminiProvider",
        "ollama": f"{_ROOM}.ollama:OllamaProvider",
        "cohere": f"{_ROOM}.cohere:CohereProvider",
        "jina": f"{_ROOM}.jina:JinaProvider",
        "openai_api_compatible": f"{_ROOM}.openai_api_compatible:OpenAICompatibleProvider",
        "builtin": f"{_ROOM}.builtin:BuiltinProvider",
        "demo": f"{_ROOM}.demo:DemoProvider",
    },
    aliases={"google": "gemini", "openai-compatible": "openai_api_compatible", "azure": "azure_openai"},
)


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """What a settings form needs to know of a provider."""

    name: str
    label: str
    model_types: frozenset[ModelType]
    credential_fields: Sequence[CredentialField]
    accepts_custom_models: bool
    key_field: str
    url_field: str
    is_preset: bool


def resolve(name: str) -> str:
    """The catalogue's name for a provider as app files write it (``openai``, ``langgenius/openai/openai``).

    Raises UnknownEntry, whose text names the known ones.
    """
    short = name.strip().rstrip("/").rpartition("/")[2].lower()
    if short in PROVIDERS:
        return PROVIDERS.resolve(short)
    short = presets.aliases().get(short, short)
    if short in presets.rows():
        return short
    raise UnknownEntry(f"Unknown model provider {name!r}. Known: {', '.join(names())}.")


def public_name(name: str) -> str:
    """The name by which Dify's clients know a provider (``langgenius/openai/openai``)."""
    own = resolve(name)
    return _PUBLIC_NAMES.get(own, f"langgenius/{own}/{own}")


def names() -> Sequence[str]:
    """All providers, presets last, as the tables list them."""
    return (*PROVIDERS, *presets.rows())


def provider_class(name: str) -> type[Provider]:
    """The class of a provider or preset. Raises UnknownEntry."""
    own = resolve(name)
    return PROVIDERS.get(own) if own in PROVIDERS else _preset_class(own)


@cache
def _preset_class(name: str) -> type[Provider]:
    return bound(presets.rows()[name])


def create(name: str, credential: Mapping[str, str], http: Egress) -> Provider:
    """A provider bound to one credential; nothing is checked or sent yet."""
    return provider_class(name)(credential, http)


def info(name: str) -> ProviderInfo:
    row = provider_class(name)
    return ProviderInfo(
        row.name,
        row.label,
        row.model_types,
        row.credential_fields,
        row.accepts_custom_models,
        row.key_field,
        row.url_field,
        row.name not in PROVIDERS,
    )


def providers() -> Sequence[ProviderInfo]:
    """Every provider; this loads all provider modules, so it belongs to settings pages, not to the start."""
    return tuple(info(name) for name in names())


def models(provider: str, model_type: ModelType | None = None) -> Sequence[ModelFacts]:
    """The models that the provider's facts file lists and that are there, of one type or of all."""
    found = model_facts.listed(resolve(provider)).values()
    row = provider_class(provider)
    return tuple(facts for facts in found if model_type in (None, facts.model_type) and row.offers(facts.model))


def facts(
    provider: str, model: str, model_type: ModelType = ModelType.LLM, credential: Mapping[str, str] | None = None
) -> ModelFacts:
    """Facts of one model. What the tenant's ``credential`` says of its own model (context_size, mode, ...) wins."""
    own = resolve(provider)
    found = model_facts.find(own, model, model_type)
    base = (credential or {}).get("base_model_name", "")
    if base and not found.known:
        found = replace(model_facts.find(own, base, model_type), model=model, label=model)
    return found if found.known or not credential else _as_told(found, credential)


def _as_told(found: ModelFacts, credential: Mapping[str, str]) -> ModelFacts:
    features = set(found.features)
    for name, feature in _TOLD.items():
        if name in credential:
            chosen = credential[name].lower() not in ("no_support", "no_call", "false", "")
            features = features | {feature} if chosen else features - {feature}
    return replace(
        found,
        context_size=_whole(credential.get("context_size"), found.context_size),
        max_output=_whole(credential.get("max_tokens_to_sample") or credential.get("max_tokens"), found.max_output),
        mode=credential.get("mode") or found.mode,
        features=frozenset(features),
    )


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else otherwise
