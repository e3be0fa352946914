"""Alice's workflow for the sweeps: a draft and a version with a secret, runs with traces, a form, a trigger, variables."""

from __future__ import annotations

from itertools import count
from typing import Any

from apps.models import App, Conversation, Run
from apps.services import apps
from difyproj.kernel import ids
from difyproj.testing.served import Served
from workflows.engine.node import Form
from workflows.models import NodeExecution, RunEventRow, Workflow, WorkflowRun
from workflows.services import conversation_variables, drafts, forms, triggers, versions

SECRET = "env-5ecret-0123456789abcdef"
GRAPH: dict[str, Any] = {
    "nodes": [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}},
        {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
    ],
    "edges": [{"source": "start", "target": "end"}],
}
ENVIRONMENT = [{"id": str(ids.new_id()), "name": "KEY", "value_type": "secret", "value": SECRET}]
REMEMBERED = [{"id": str(ids.new_id()), "name": "topic", "value_type": "string", "value": "rain"}]
_numbers = count()


def furnish(house: Served) -> App:
    """In a thread of the database."""
    alice = house.cast.alice
    app = apps.create(tenant=alice.tenant, name="Alice's workflow", mode="workflow", config={})
    drafts.save(
        app, by=alice.account.pk, given_hash=None, graph=GRAPH, features={},
        environment_variables=ENVIRONMENT, conversation_variables=REMEMBERED,
    )  # fmt: skip
    return app


def add(app: App, times: int) -> None:
    """So many more versions, runs, forms and conversations of the app."""
    owned: dict[str, Any] = {"tenant": app.tenant, "app": app}
    for _ in range(times):
        version = versions.publish(app, by=None, marked_name=f"Version {next(_numbers)}")
        run = Run.objects.create(**owned, mode=app.mode, tier="service-api", status="paused")
        WorkflowRun.objects.create(**owned, run=run, workflow_id=version.pk, version=version.version, inputs={"a": 1})
        RunEventRow.objects.create(run=run, event_id=1, event=b"x")
        asking = NodeExecution.objects.create(**owned, run=run, workflow_id=version.pk, node_id="ask", node_type="human-input")
        forms.create(run, [forms.Asked("ask", asking.pk, Form("Yes?", actions=[{"id": "yes", "title": "Yes"}]))])
        talk = Conversation.objects.create(**owned, mode=app.mode, tier="service-api")
        conversation_variables.begin(talk.pk, REMEMBERED)
    triggers.sync(app, Workflow(graph={"nodes": [_hook(number) for number in range(times)]}))


def secrets_of(app: App) -> dict[str, str]:
    """What nobody may ever read of the app: there is one run, and one webhook."""
    run = Run.objects.get(app=app)
    (hook,) = triggers.of_app(app)
    asking = NodeExecution.objects.get(run=run)
    ((_, token),) = forms.create(run, [forms.Asked("ask", asking.pk, Form("Yes?"))])
    return {
        "an environment variable": SECRET,
        "a form's token": token,
        "a webhook's signing key": triggers.renew_signing_key(hook),
    }


def _hook(number: int) -> dict[str, Any]:
    return {"id": f"hook{number}", "data": {"type": "trigger-webhook", "title": f"Hook {number}"}}
