"""Alice's graphs for the sweeps: a workflow, a chatflow and one that asks people, each with runs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import uuid4, uuid5

from asgiref.sync import sync_to_async

from accounts.services import accounts
from apps.models import App, Conversation, EndUser, Message, Run
from difyproj.kernel import clock
from difyproj.testing.flows import ASKING, ECHO, HOOKED, TALK, make_flow, publish, run
from difyproj.testing.served import Key, Served
from workflows.models import CallbackDelivery, ConversationVariable, NodeExecution, Trigger, TriggerKind, Workflow, WorkflowRun
from workflows.services import drafts, versions

ENVIRONMENT = [{"name": "KEY", "value_type": "secret", "value": "Alice's secret key"}]
CALLBACK = "https://partner.example/ended?key=s3cret"
MEMORY = [{"name": "mood", "value_type": "string", "value": "good"}]

_numbers = count()


async def furnish(house: Served, secret: str) -> dict[str, str]:
    """What is said to the graphs, and what they say, is ``secret``."""
    alice = house.cast.alice
    flow = await sync_to_async(make_flow)(alice, ECHO, environment_variables=ENVIRONMENT)
    chat = await sync_to_async(make_flow)(alice, TALK, "advanced-chat", conversation_variables=MEMORY)
    asking = await sync_to_async(make_flow)(alice, ASKING)
    hooked = await sync_to_async(make_flow)(alice, HOOKED)
    ran = await run(flow.app, inputs={"word": secret})
    told = CallbackDelivery(tenant=alice.tenant, app=flow.app, run_id=ran["workflow_run_id"], url=CALLBACK, status="delivered")
    await told.asave()
    debugged = await run(flow.app, debugger=alice, inputs={"word": secret})
    said = await run(chat.app, query=secret)
    talked = await run(chat.app, debugger=alice, query=secret)
    paused = await run(asking.app, inputs={"word": secret})
    return {
        "flow_app_id": str(flow.app.pk),
        "chatflow_app_id": str(chat.app.pk),
        "asking_app_id": str(asking.app.pk),
        "hooked_app_id": str(hooked.app.pk),
        "trigger_id": str((await Trigger.objects.aget(app=hooked.app)).pk),
        "flow_run_id": ran["workflow_run_id"],
        "debug_run_id": debugged["workflow_run_id"],
        "draft_variable_id": str(uuid5(flow.app.pk, "end.said")),
        "chatflow_message_id": said["message_id"],
        "chatflow_conversation_id": said["conversation_id"],
        "chatflow_run_id": said["task_id"],
        "debug_chatflow_message_id": talked["message_id"],
        "debug_chatflow_conversation_id": talked["conversation_id"],
        "paused_run_id": paused["workflow_run_id"],
        "form_token": paused["data"]["reasons"][0]["form_token"],
        **await sync_to_async(_rows)(flow),
    }


def _rows(flow: Key) -> dict[str, str]:
    """The first version becomes the old one."""
    app = flow.app
    first = versions.newest(app)
    assert first is not None
    publish(app, ECHO)
    Trigger.objects.create(tenant=app.tenant, app=app, node_id="start", kind=TriggerKind.WEBHOOK, token="t" * 32)
    return {"old_version_id": str(first.pk), "draft_hash": drafts.get(app).hash}


def add(house: Served, ids: Mapping[str, str]) -> None:
    """Another version, run and variable of each kind, and another execution in the runs that are there. In a thread of the
    database."""
    alice, number = house.cast.alice, next(_numbers)
    for name in ("flow_app_id", "chatflow_app_id"):
        app = App.objects.select_related("tenant").get(pk=ids[name])
        publisher = accounts.create(email=f"p{number}.{name}@acme.example", name=f"Publisher {number}")
        owned: dict[str, Any] = {"tenant": alice.tenant, "app": app}
        Workflow.objects.create(**owned, version=f"more {number}", graph=ECHO, hash="x", created_by_id=publisher.pk)
        user = EndUser.objects.create(**owned, type="service-api", session_id=f"user-{number}")
        for asker in ({"end_user": user}, {"account_id": publisher.pk}):
            _add_run(app, **asker)
    hooked = App.objects.select_related("tenant").get(pk=ids["hooked_app_id"])
    Trigger.objects.create(tenant=hooked.tenant, app=hooked, node_id=f"more {number}", kind=TriggerKind.SCHEDULE)
    for name in ("flow_run_id", "chatflow_run_id"):
        _add_step(Run.objects.get(pk=ids[name]), 10 + number)
    talk = Conversation.objects.get(pk=ids["chatflow_conversation_id"])
    variable = {"variable_id": uuid4(), "name": f"more {number}", "value_type": "string", "value": "x"}
    ConversationVariable.objects.create(conversation=talk, **variable)


def _add_run(app: App, **asker: Any) -> None:
    owned: dict[str, Any] = {"tenant": app.tenant, "app": app}
    run = Run.objects.create(**owned, **asker, mode=app.mode, tier="service-api", status="succeeded", finished_at=clock.now())
    WorkflowRun.objects.create(**owned, run=run, workflow_id=uuid4(), version="x", inputs={"word": "secret"})
    _add_step(run, 1)
    if app.mode == "advanced-chat":
        talk = Conversation.objects.create(**owned, **asker, mode=app.mode, tier=run.tier, name="Talk")
        Message.objects.create(**owned, **asker, conversation=talk, run=run, tier=run.tier, query="secret", answer="Yes.")


def _add_step(run: Run, index: int) -> None:
    NodeExecution.objects.create(
        tenant_id=run.tenant_id, app_id=run.app_id, run=run, workflow_id=uuid4(), node_id=f"node {index}", node_type="code",
        index=index, status="succeeded", end_user_id=run.end_user_id, account_id=run.account_id,
    )  # fmt: skip


def eves(house: Served) -> dict[str, str]:
    """Apps of hers that are asked for beside Alice's rows. In a thread of the database."""
    made: dict[str, Any] = {
        "flow_app_id": make_flow(house.cast.eve, ECHO),
        "chatflow_app_id": make_flow(house.cast.eve, TALK, "advanced-chat"),
        "asking_app_id": make_flow(house.cast.eve, ASKING),
        "hooked_app_id": make_flow(house.cast.eve, HOOKED),
    }
    return {name: str(key.app.pk) for name, key in made.items()}
