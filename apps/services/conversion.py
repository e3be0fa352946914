"""Apps that are a prompt become apps that are a graph: a new app, whose draft does what the old one does."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import transaction

from apps.models import App
from apps.modes import conversion
from difyproj.kernel import jsonio
from workflows.services import drafts

from . import apps
from .apps import KEPT_BY_COPIES, AppNotFound

LONGEST_NAME: Final = 255


@transaction.atomic
def to_workflow(app: App, *, by: UUID, **given: Any) -> App:
    """The new app; the old one stays. ``given`` are its name and looks, where they are not the old ones.

    Raises AppNotFound for apps of other modes, AppUnavailable for one that is suspended or whose configuration is broken.
    """
    mode = conversion.TARGETS.get(app.mode)
    if mode is None:
        raise AppNotFound(f"Only {' and '.join(sorted(conversion.TARGETS))} apps can be converted.")
    apps.demand_normal(app)
    config, conversation = apps.configuration(app), app.mode == "chat"
    kept = {field: getattr(app, field) for field in KEPT_BY_COPIES}
    looks = {**kept, "name": f"{app.name}(workflow)"[:LONGEST_NAME], **given}
    made = apps.create(tenant=app.tenant, mode=mode, created_by_id=by, **looks)
    graph = conversion.graph(config, conversation=conversation)
    features = conversion.features(config, conversation=conversation)
    drafts.save(made, by=by, given_hash=None, graph=jsonio.storable(graph), features=jsonio.storable(features))
    return made
