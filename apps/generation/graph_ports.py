"""What the nodes of a graph may use in one run, bound to who asks."""

from __future__ import annotations

from collections.abc import Sequence

from apps.models import App
from difyproj.kernel.principal import Principal
from workflows.engine.ports import Ports

from . import given_files
from .given_files import GivenFile
from .ports import RequestFiles, TenantModels


def of_run(principal: Principal, app: App, models: TenantModels, given: Sequence[GivenFile]) -> Ports:
    return Ports(models, RequestFiles(given_files.contents(given)))
