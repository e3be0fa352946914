"""The process's one way to call models: over its outbound client, with the loads of credentials that it remembers."""

from __future__ import annotations

from functools import cache

from difyproj.model_runtime.runtime import ModelRuntime

from .egress import model_egress


@cache
def runtime() -> ModelRuntime:
    return ModelRuntime(model_egress())
