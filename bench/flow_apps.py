"""Run by `manage.py shell`: makes the workflow apps of the bench in the try-out workspace and prints their tokens as JSON."""

from __future__ import annotations

import json
from typing import Any

from accounts.models import Tenant
from apps.services import apps, tokens
from workflows.services import drafts, graphs, versions

START = (
    "start",
    {"type": "start", "title": "Start", "variables": [{"variable": "text", "label": "Text", "type": "paragraph"}]},
)
ECHO = {
    "type": "template-transform",
    "title": "Echo",
    "template": "{{ text }}",
    "variables": [{"variable": "text", "value_selector": ["start", "text"]}],
}
GRAPHS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "empty": [START, ("end", {"type": "end", "title": "End", "outputs": []})],
    "echo": [
        START,
        ("echo", ECHO),
        ("end", {"type": "end", "title": "End", "outputs": [{"variable": "text", "value_selector": ["echo", "output"]}]}),
    ],
}


def make() -> dict[str, str]:
    """One published app and one token per graph."""
    tenant, made = Tenant.objects.order_by("created_at")[0], {}
    for name, nodes in GRAPHS.items():
        app = apps.create(tenant=tenant, name=f"Bench {name}", description="", mode="workflow", config={}, created_by_id=None)
        drafts.save(app, by=None, given_hash=None, graph=graphs.drawn(nodes), features={})
        versions.publish(app, by=None)
        made[name] = tokens.create(tenant=tenant, app=app, name="bench")[1]
    return made


print(json.dumps(make()))
