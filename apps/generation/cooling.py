"""Which credentials this process spares for now, because they failed."""

from __future__ import annotations

from difyproj.infra.model_port import runtime


def cooling_seconds(provider: str, credential_id: str) -> float:
    """How long others are still preferred to this credential; ``provider`` is the catalogue's own name."""
    return runtime().pool.rest(provider, credential_id)
