"""Model providers whose keys stand in the environment: for the first tenant, and for the hosts that may be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .env import Env


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """``key`` and ``url`` map an environment variable to the provider's credential field; ``model`` is used without MODEL."""

    provider: str
    prefix: str
    key: tuple[str, str] | None
    url: tuple[str, str] | None
    model: str


@dataclass(frozen=True, slots=True)
class EnvironmentProvider:
    """A provider that the environment configures. ``values`` are its credential fields."""

    provider: str
    model: str
    values: Mapping[str, str] = field(repr=False)


ROWS = (
    ProviderRow(
        "openai", "OPENAI", ("OPENAI_API_KEY", "openai_api_key"), ("OPENAI_BASE_URL", "openai_api_base"), "gpt-4o-mini"
    ),
    ProviderRow(
        "anthropic",
        "ANTHROPIC",
        ("ANTHROPIC_API_KEY", "anthropic_api_key"),
        ("ANTHROPIC_BASE_URL", "anthropic_api_url"),
        "claude-sonnet-4-5",
    ),
    ProviderRow("gemini", "GEMINI", ("GEMINI_API_KEY", "google_api_key"), None, "gemini-2.5-flash"),
    ProviderRow("deepseek", "DEEPSEEK", ("DEEPSEEK_API_KEY", "api_key"), None, "deepseek-chat"),
    ProviderRow("tongyi", "DASHSCOPE", ("DASHSCOPE_API_KEY", "dashscope_api_key"), None, "qwen-plus"),
    ProviderRow("moonshot", "MOONSHOT", ("MOONSHOT_API_KEY", "api_key"), None, "moonshot-v1-8k"),
    ProviderRow("openrouter", "OPENROUTER", ("OPENROUTER_API_KEY", "api_key"), None, "openai/gpt-4o-mini"),
    ProviderRow("groq", "GROQ", ("GROQ_API_KEY", "api_key"), None, "llama-3.3-70b-versatile"),
    ProviderRow("mistralai", "MISTRAL", ("MISTRAL_API_KEY", "api_key"), None, "mistral-small-latest"),
    ProviderRow("x", "XAI", ("XAI_API_KEY", "api_key"), None, "grok-3-mini"),
    ProviderRow("ollama", "OLLAMA", None, ("OLLAMA_HOST", "base_url"), "llama3.2"),
)


def environment_providers(env: Env) -> list[EnvironmentProvider]:
    """The providers that the environment configures, the one to use by default first."""
    return [found for row in ROWS if (found := _read(env, row)) is not None]


def _read(env: Env, row: ProviderRow) -> EnvironmentProvider | None:
    decisive = row.key or row.url
    if decisive is None or not env.text(decisive[0], ""):
        return None
    values = {field: env.text(name, "") for name, field in filter(None, (row.key, row.url))}
    if row.url and values.get(row.url[1]):
        values[row.url[1]] = _with_scheme(values[row.url[1]])
    return EnvironmentProvider(
        provider=row.provider,
        model=env.text(f"{row.prefix}_MODEL", row.model),
        values={name: value for name, value in values.items() if value},
    )


def _with_scheme(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def provider_hosts(providers: list[EnvironmentProvider]) -> list[str]:
    """host:port of each base URL that the operator named: an operator's word opens the way out."""
    return [host for provider in providers for value in provider.values.values() for host in hosts_of(value)]


def hosts_of(url: str) -> list[str]:
    """host:port of one base URL; none of anything else."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return []
    return [f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"]
