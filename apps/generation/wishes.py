"""What of a request has to be known wherever its graph's run goes on. It stands in the run's row, where there is any."""

from __future__ import annotations

from typing import Any

import msgspec

from apps.models import Run
from difyproj.kernel import structs

from .request import GenerateRequest


class Wishes(msgspec.Struct, frozen=True, omit_defaults=True):
    """``entry`` and ``in_background`` as in ``GenerateRequest``; ``unnamed`` says that a new conversation gets no name."""

    entry: str = ""
    in_background: bool = False
    unnamed: bool = False


def of_request(request: GenerateRequest) -> Wishes:
    return Wishes(request.entry, request.in_background, not request.auto_generate_name)


def of_run(run: Run) -> Wishes:
    return structs.convert(run.config_override or {}, Wishes)


def kept(wishes: Wishes) -> dict[str, Any] | None:
    """As the row holds them."""
    return msgspec.to_builtins(wishes) or None
