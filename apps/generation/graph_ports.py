"""What the nodes of a graph may use in one run, bound to who asks."""

from __future__ import annotations

from collections.abc import Mapping

from apps.models import App
from difyproj.kernel.principal import Principal
from workflows.engine.ports import Ports

from .ports import RequestFile, RequestFiles, TenantModels


def of_run(principal: Principal, app: App, models: TenantModels, files: Mapping[str, RequestFile]) -> Ports:
    return Ports(models, RequestFiles(files))
