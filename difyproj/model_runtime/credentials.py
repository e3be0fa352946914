"""Which of a provider's credentials serves the next call: the least busy one that is not cooling down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError, ProviderNotInitialize, ProviderQuotaExceeded

from .base import Credential
from .errors import ModelCallFailed

RATE_LIMITED_SECONDS = 10.0
REFUSED_SECONDS = 300.0
LONGEST_COOLING = 600.0
REMEMBERED = 4096


@dataclass(slots=True)
class _Load:
    busy: int = 0
    uses: int = 0
    cool_until: float = 0.0


class CredentialPool:
    """Loads by provider and credential id, for the life of the process; ids are the caller's and must be unique."""

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._loads: dict[tuple[str, str], _Load] = {}

    def take(self, provider: str, credentials: Sequence[Credential], tried: frozenset[str] = frozenset()) -> Credential:
        """A credential, counted as busy until ``give_back``; untried ones first, then rested, then idle ones."""
        now = self._now()

        def rank(credential: Credential) -> tuple[bool, float, int, int]:
            load = self._load(provider, credential.id)
            return credential.id in tried, max(0.0, load.cool_until - now), load.busy, load.uses

        chosen = min(credentials, key=rank)
        load = self._load(provider, chosen.id)
        load.busy += 1
        load.uses += 1
        return chosen

    def give_back(self, provider: str, credential: Credential) -> None:
        self._load(provider, credential.id).busy -= 1

    def failed(self, provider: str, credential: Credential, error: DomainError) -> bool:
        """Notes a failure; True when it is the credential's own, so that another one may do better at once."""
        match error:
            case ProviderNotInitialize() | ProviderQuotaExceeded():
                rest = REFUSED_SECONDS
            case ModelCallFailed(upstream_status=429):
                rest = error.retry_after if error.retry_after is not None else RATE_LIMITED_SECONDS
            case _:
                return False
        self._load(provider, credential.id).cool_until = self._now() + min(rest, LONGEST_COOLING)
        return True

    def succeeded(self, provider: str, credential: Credential) -> None:
        self._load(provider, credential.id).cool_until = 0.0

    def busy(self, provider: str, credential: Credential) -> int:
        """Calls that hold the credential right now."""
        return self._load(provider, credential.id).busy

    def rest(self, provider: str, credential_id: str) -> float:
        """Seconds for which others are preferred to this credential, because it failed."""
        load = self._loads.get((provider, credential_id))
        return 0.0 if load is None else max(0.0, load.cool_until - self._now())

    def _load(self, provider: str, credential_id: str) -> _Load:
        key = (provider, credential_id)
        load = self._loads.get(key)
        if load is None:
            if len(self._loads) >= REMEMBERED:
                self._loads = {known: held for known, held in self._loads.items() if held.busy}
            load = self._loads[key] = _Load()
        return load
