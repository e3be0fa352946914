"""The interfaces a model provider implements. Only what a provider has is required; the rest refuses clearly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from difyproj.kernel.errors import ModelNotSupported
from difyproj.kernel.http import Egress

from .messages import Delta, PromptMessage, TokenUsage, ToolSpec


class ModelType(StrEnum):
    LLM = "llm"
    TEXT_EMBEDDING = "text-embedding"
    RERANK = "rerank"
    SPEECH2TEXT = "speech2text"
    TTS = "tts"
    MODERATION = "moderation"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One chat call. ``parameters`` use the neutral names of the parameter rules (temperature, top_p, max_tokens, ...).

    ``mode`` is ``chat`` or ``completion`` (the legacy text wire). ``timeout`` is in seconds for the whole call,
    ``first_token_timeout`` for the first piece.
    """

    model: str
    messages: Sequence[PromptMessage]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[ToolSpec] = ()
    stop: Sequence[str] = ()
    response_schema: Mapping[str, Any] | None = None
    mode: str = "chat"
    user: str = ""
    timeout: float = 600.0
    first_token_timeout: float = 120.0


class LanguageModel(ABC):
    @abstractmethod
    def stream(self, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        """Deltas as they arrive and, once known, the usage. Closing the iterator closes the upstream socket."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    vectors: Sequence[Sequence[float]]
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class Ranked:
    """``index`` points into the documents that were sent; ``score`` is higher for better."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Credential:
    """One set of credentials of a provider; ``id`` names it for load balancing, ``values`` are the secrets."""

    id: str
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One input of a provider's credential form. ``kind``: secret-input, text-input, select, switch."""

    name: str
    label: str
    kind: str = "secret-input"
    required: bool = True
    default: str = ""
    placeholder: str = ""
    options: Sequence[str] = ()


class Provider(ABC):
    """A model provider bound to one credential. Subclasses override what the provider offers."""

    name: ClassVar[str]
    label: ClassVar[str]
    model_types: ClassVar[frozenset[ModelType]]
    credential_fields: ClassVar[Sequence[CredentialField]] = ()
    accepts_custom_models: ClassVar[bool] = False
    wire: ClassVar[str] = ""
    """The wire family it speaks (a name of difyproj.testing.upstream), empty when it needs no network."""
    key_field: ClassVar[str] = ""
    """The credential field that holds the key, empty when there is none."""
    url_field: ClassVar[str] = ""
    """The credential field that moves the provider to another base URL, empty when it cannot move."""

    def __init__(self, credential: Mapping[str, str], http: Egress) -> None:
        self.credential = credential
        self.http = http

    @abstractmethod
    async def validate(self) -> None:
        """One cheap call that proves the credential. Raises ProviderNotInitialize or CompletionRequestError."""

    @classmethod
    def offers(cls, model: str) -> bool:
        """Whether a model that the facts list can be called on this instance."""
        return True

    def llm(self) -> LanguageModel:
        raise self._refusal(ModelType.LLM)

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        raise self._refusal(ModelType.TEXT_EMBEDDING)

    async def rerank(self, model: str, query: str, documents: Sequence[str], *, top_n: int | None = None) -> Sequence[Ranked]:
        raise self._refusal(ModelType.RERANK)

    async def transcribe(self, model: str, audio: bytes, *, filename: str, mime_type: str) -> str:
        raise self._refusal(ModelType.SPEECH2TEXT)

    def speak(self, model: str, text: str, *, voice: str = "") -> AsyncIterator[bytes]:
        """Audio bytes (mp3) as they arrive."""
        raise self._refusal(ModelType.TTS)

    async def moderate(self, model: str, text: str) -> bool:
        """True when the text is flagged."""
        raise self._refusal(ModelType.MODERATION)

    def _refusal(self, model_type: ModelType) -> ModelNotSupported:
        return ModelNotSupported(f"The provider {self.label} has no {model_type} models.")
