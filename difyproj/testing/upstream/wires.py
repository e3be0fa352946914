"""The wires a fake upstream can speak, one row each."""

from __future__ import annotations

from difyproj.kernel.registry import Registry

from .script import Wire

_ROOM = "difyproj.testing.upstream"

WIRES: Registry[type[Wire]] = Registry(
    "upstream wire",
    {
        "openai": f"{_ROOM}.openai:OpenAIWire",
        "anthropic": f"{_ROOM}.anthropic:AnthropicWire",
        "gemini": f"{_ROOM}.gemini:GeminiWire",
        "ollama": f"{_ROOM}.ollama:OllamaWire",
        "cohere": f"{_ROOM}.cohere:CohereWire",
        "jina": f"{_ROOM}.jina:JinaWire",
        "qdrant": f"{_ROOM}.qdrant:QdrantWire",
    },
)
