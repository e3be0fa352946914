"""The citations of a run's end: what its knowledge found, where the app shows it."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from workflows.engine.events import RunFinished

from .knowledge_items import resources
from .plan import Plan
from .request import Reply

End = TypeVar("End")


def cited(end: End, reply: Reply, plan: Plan) -> End:
    """The end with its citations; other ends, and those of apps that show none, as they are."""
    if not isinstance(end, RunFinished) or plan.knowledge is None or reply.message_id is None:
        return end
    if not plan.knowledge.found or not plan.config.retriever_resource.enabled:
        return end
    told = resources(plan.knowledge.found, reply.message_id, reply.created_at)
    return msgspec.structs.replace(end, metadata={**end.metadata, "retriever_resources": told})
