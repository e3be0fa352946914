"""What the nodes of a graph may use in one run, bound to who asks."""

from __future__ import annotations

from collections.abc import Mapping

from difyproj.infra.documents import ConfinedDocuments
from difyproj.infra.http_port import GuardedHttp
from difyproj.infra.sandbox import code_limits, get_sandbox
from difyproj.kernel.principal import Principal
from workflows.engine.ports import Ports
from workflows.tools.catalogue import Toolbox

from .knowledge import Knowledge
from .ports import RequestFile, TenantModels
from .run_files import RunFiles


def of_run(principal: Principal, models: TenantModels, files: Mapping[str, RequestFile]) -> tuple[Ports, Knowledge]:
    """The ports, and among them the one that knows in the end what was found."""
    own = RunFiles(principal, files)
    knowledge = Knowledge(principal, files=own)
    ports = Ports(
        models,
        own,
        storage=own,
        http=GuardedHttp(),
        sandbox=get_sandbox(),
        tools=Toolbox(),
        knowledge=knowledge,
        documents=ConfinedDocuments(own),
        code_limits=code_limits(),
    )
    return ports, knowledge
