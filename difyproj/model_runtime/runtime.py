"""The one way to call a model: picks a credential, tries again where that helps, and closes what it opened."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from difyproj.kernel.errors import DomainError, ModelNotSupported, ProviderNotInitialize
from difyproj.kernel.http import Egress
from difyproj.kernel.registry import UnknownEntry

from . import catalogue
from .base import Credential, Embeddings, ModelRequest, Provider, Ranked
from .credentials import CredentialPool
from .errors import ModelCallFailed
from .messages import Delta, TokenUsage
from .streams import closing

T = TypeVar("T")
_JITTER = random.SystemRandom()
_NONE = (Credential("", {}),)


@dataclass(frozen=True, slots=True)
class Backoff:
    """``tries`` calls at most; waits of ``first`` seconds, doubled each time, never over ``longest``."""

    tries: int = 3
    first: float = 0.5
    longest: float = 8.0

    def wait(self, failures: int, error: DomainError) -> float | None:
        """Seconds before the next try, or None when the provider asks for more patience than this call has."""
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.longest else None
        return min(self.first * 2.0 ** (failures - 1), self.longest) * _JITTER.uniform(0.75, 1.25)


class _Attempts:
    """One call's tries: which credential is next, and whether there is a next one."""

    def __init__(self, runtime: ModelRuntime, provider: str, credentials: Sequence[Credential]) -> None:
        self.name, self._credentials = _known(provider, credentials)
        self._pool = runtime.pool
        self._http = runtime.http
        self._backoff = runtime.backoff
        self._tried: frozenset[str] = frozenset()
        self._failures = 0
        self._credential = self._credentials[0]

    def begin(self) -> Provider:
        self._credential = self._pool.take(self.name, self._credentials, self._tried)
        return catalogue.create(self.name, self._credential.values, self._http)

    def end(self) -> None:
        self._pool.give_back(self.name, self._credential)

    def done(self) -> None:
        self._pool.succeeded(self.name, self._credential)

    def pause(self, error: DomainError) -> float | None:
        """Seconds to wait before another try, or None when the failure is final."""
        self._failures += 1
        own_fault = self._pool.failed(self.name, self._credential, error)
        self._tried |= {self._credential.id}
        if own_fault and len(self._tried) < len(self._credentials):
            return 0.0
        if not (isinstance(error, ModelCallFailed) and error.retryable) or self._failures >= self._backoff.tries:
            return None
        return self._backoff.wait(self._failures, error)


class ModelRuntime:
    """Stateless but for the loads of credentials; one per process. ``credentials`` of a call are those of one tenant."""

    def __init__(self, http: Egress, *, backoff: Backoff = Backoff(), pool: CredentialPool | None = None) -> None:
        self.http = http
        self.backoff = backoff
        self.pool = pool or CredentialPool()

    def stream(
        self, provider: str, credentials: Sequence[Credential], request: ModelRequest
    ) -> AsyncIterator[Delta | TokenUsage]:
        """Deltas, then the usage if the provider reports one. Closing the iterator closes the upstream socket at once.

        A failure before the first delta is tried again where that can help; a later one is raised as it is. Raises
        ProviderNotInitialize, ProviderQuotaExceeded, ModelNotSupported or CompletionRequestError (ModelCallFailed).
        """
        return self._items(provider, credentials, lambda bound: bound.llm().stream(request))

    def speak(
        self, provider: str, credentials: Sequence[Credential], model: str, text: str, *, voice: str = ""
    ) -> AsyncIterator[bytes]:
        """Audio bytes (mp3) as they arrive; tried again only before the first byte."""
        return self._items(provider, credentials, lambda bound: bound.speak(model, text, voice=voice))

    async def embed(self, provider: str, credentials: Sequence[Credential], model: str, texts: Sequence[str]) -> Embeddings:
        return await self._call(provider, credentials, lambda bound: bound.embed(model, texts))

    async def rerank(
        self,
        provider: str,
        credentials: Sequence[Credential],
        model: str,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
    ) -> Sequence[Ranked]:
        return await self._call(provider, credentials, lambda bound: bound.rerank(model, query, documents, top_n=top_n))

    async def transcribe(
        self, provider: str, credentials: Sequence[Credential], model: str, audio: bytes, *, filename: str, mime_type: str
    ) -> str:
        return await self._call(
            provider, credentials, lambda bound: bound.transcribe(model, audio, filename=filename, mime_type=mime_type)
        )

    async def moderate(self, provider: str, credentials: Sequence[Credential], model: str, text: str) -> bool:
        """True when the text is flagged."""
        return await self._call(provider, credentials, lambda bound: bound.moderate(model, text))

    async def validate(self, provider: str, credential: Credential) -> None:
        """One cheap call that proves the credential; not tried again. Raises as ``stream`` does."""
        name, (checked,) = _known(provider, [credential])
        await catalogue.create(name, checked.values, self.http).validate()

    async def _items(
        self, provider: str, credentials: Sequence[Credential], action: Callable[[Provider], AsyncIterator[T]]
    ) -> AsyncIterator[T]:
        attempts = _Attempts(self, provider, credentials)
        while True:
            begun = False
            try:
                async with closing(action(attempts.begin())) as items:
                    async for item in items:
                        begun = True
                        yield item
                attempts.done()
                return
            except DomainError as error:
                pause = attempts.pause(error)
                if begun or pause is None:
                    raise
            finally:
                attempts.end()
            await asyncio.sleep(pause)

    async def _call(self, provider: str, credentials: Sequence[Credential], action: Callable[[Provider], Awaitable[T]]) -> T:
        attempts = _Attempts(self, provider, credentials)
        while True:
            try:
                result = await action(attempts.begin())
                attempts.done()
                return result
            except DomainError as error:
                pause = attempts.pause(error)
                if pause is None:
                    raise
            finally:
                attempts.end()
            await asyncio.sleep(pause)


def _known(provider: str, credentials: Sequence[Credential]) -> tuple[str, Sequence[Credential]]:
    """The provider's own name and the complete credentials. Raises ModelNotSupported or ProviderNotInitialize."""
    try:
        name = catalogue.resolve(provider)
    except UnknownEntry as error:
        raise ModelNotSupported(str(error)) from None
    needed = [form.name for form in catalogue.provider_class(name).credential_fields if form.required]
    if not needed and not credentials:
        return name, _NONE
    complete = [one for one in credentials if all(one.values.get(field) for field in needed)]
    if not complete:
        raise ProviderNotInitialize(f"No complete credential for {catalogue.provider_class(name).label} was found.")
    return name, complete
