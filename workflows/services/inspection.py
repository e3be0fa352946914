"""What the variables of a draft hold: what its runs left, and what its author changed since; what happened last counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID, uuid5

from django.db.models import Subquery

from apps.models import App, Message
from workflows.engine.kinds import fits, kind_of
from workflows.models import (
    ConversationVariable,
    DraftVariable,
    NodeExecution,
    NodeStatus,
    TriggeredFrom,
    Workflow,
    WorkflowRun,
)

from . import drafts

NODE, SYSTEM, CONVERSATION = "node", "sys", "conversation"
# What a person brings to a run; the rest of sys.* is the run's own.
BROUGHT: Final = frozenset({"query", "files"})
HAVE_OUTPUTS: Final = (NodeStatus.SUCCEEDED, NodeStatus.EXCEPTION)
UNSEEN: Final = frozenset({"if-else"})
NODES_AT_ONCE: Final = 100

Variable = dict[str, Any]


class Inspection:
    """One look at an app's draft. Raises DraftWorkflowNotExist."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.draft = drafts.get(app)

    def everything(self) -> list[Variable]:
        return [*self.of_nodes(), *self.of_conversation(), *self.of_system()]

    def of_nodes(self, node_ids: Sequence[str] | None = None) -> list[Variable]:
        """The outputs of these nodes, or of every one, when each was run last with success, in a run or alone."""
        wanted = self._node_ids if node_ids is None else node_ids
        rows = {row.node_id: row for row in self._newest(wanted)}
        return [one for node_id in wanted for one in self._of_node(node_id, rows.get(node_id))]

    def of_system(self) -> list[Variable]:
        """``sys.*`` of the draft's last run."""
        run = self._last_run
        given = run.inputs if run is not None else {}
        held = {name.removeprefix("sys."): value for name, value in given.items() if name.startswith("sys.")}
        since = run.created_at if run is not None else None
        return [
            self._told(SYSTEM, SYSTEM, name, value, edited, visible=name in BROUGHT, editable=name in BROUGHT)
            for name, value, edited in self._changed(SYSTEM, held, since)
        ]

    def of_conversation(self) -> list[Variable]:
        """What the draft declares: as its last run left it in its conversation, else with its default."""
        remembered, made = self._remembered(), []
        for declared in self.draft.conversation_variables:
            name, kind, default = str(declared["name"]), str(declared["value_type"]), declared.get("value")
            value, since = remembered.get(name, (default, None))
            ((_, value, edited),) = list(self._changed(CONVERSATION, {name: value}, since, added=False)) or [
                (name, default, False)
            ]
            told = self._told(CONVERSATION, CONVERSATION, name, value if fits(value, kind) else default, edited)
            made.append({**told, "value_type": kind, "description": str(declared.get("description") or "")})
        return made

    @cached_property
    def _node_ids(self) -> list[str]:
        return [str(node["id"]) for node in self.draft.graph.get("nodes", ()) if isinstance(node.get("id"), str)]

    @cached_property
    def _last_run(self) -> WorkflowRun | None:
        rows = WorkflowRun.objects.for_tenant(self.app.tenant_id).filter(app=self.app, triggered_from=TriggeredFrom.DEBUGGING)
        return rows.filter(workflow_id=self.draft.pk).order_by("-created_at", "-run_id").first()

    @cached_property
    def _changes(self) -> dict[str, dict[str, DraftVariable]]:
        found: dict[str, dict[str, DraftVariable]] = defaultdict(dict)
        for row in DraftVariable.objects.for_tenant(self.app.tenant_id).filter(app=self.app):
            found[row.scope][row.name] = row
        return found

    def _newest(self, node_ids: Sequence[str]) -> Iterator[NodeExecution]:
        """Of each node by the index that ends with its newest execution, however many runs there were."""
        ended = NodeExecution.objects.filter(app=self.app, workflow_id=self.draft.pk, status__in=HAVE_OUTPUTS)
        itself = Workflow.objects.filter(pk=self.draft.pk)
        for start in range(0, len(node_ids), NODES_AT_ONCE):
            newest = (
                Subquery(ended.filter(node_id=node_id).order_by("-created_at").values("pk")[:1])
                for node_id in node_ids[start : start + NODES_AT_ONCE]
            )
            keys: Sequence[UUID | None] = itself.values_list(*newest).first() or ()
            yield from NodeExecution.objects.filter(pk__in=[key for key in keys if key is not None])

    def _of_node(self, node_id: str, row: NodeExecution | None) -> Iterator[Variable]:
        held = row.outputs if row is not None and isinstance(row.outputs, Mapping) else {}
        since = (row.finished_at or row.created_at) if row is not None else None
        visible = drafts.node_type(self.draft, node_id) not in UNSEEN
        for name, value, edited in self._changed(node_id, held, since):
            yield self._told(NODE, node_id, name, value, edited, visible=visible)

    def _remembered(self) -> dict[str, tuple[Any, datetime]]:
        """What the conversation of the last run holds, by name, and since when."""
        if self._last_run is None or not self.draft.conversation_variables:
            return {}
        talks = Message.objects.filter(run_id=self._last_run.run_id).values("conversation_id")
        rows = ConversationVariable.objects.for_tenant(self.app.tenant_id).filter(conversation_id__in=talks)
        return {row.name: (row.value, row.updated_at) for row in rows}

    def _changed(
        self, scope: str, held: Mapping[str, Any], since: datetime | None, *, added: bool = True
    ) -> Iterator[tuple[str, Any, bool]]:
        """(name, value, whether an author wrote it) of what a scope holds ``since`` then."""
        own = self._changes.get(scope, {})
        taken_away = [row for row in (own.get(""), self._changes.get("", {}).get("")) if row is not None]
        if since is not None and any(row.changed_at >= since for row in taken_away):
            held = {}
        newer = {name: row for name, row in own.items() if name and (since is None or row.changed_at >= since)}
        for name, value in held.items():
            row = newer.pop(name, None)
            if row is None:
                yield name, value, False
            elif not row.is_removed:
                yield name, row.value, True
        if added:
            yield from ((name, row.value, True) for name, row in newer.items() if not row.is_removed)

    def _told(
        self, kind: str, scope: str, name: str, value: Any, edited: bool, *, visible: bool = True, editable: bool = True
    ) -> Variable:
        """Its id is always the same."""
        return {
            "id": str(uuid5(self.app.pk, f"{scope}.{name}")),
            "type": kind,
            "name": name,
            "description": "",
            "selector": [scope, name],
            "value_type": kind_of(value),
            "value": value,
            "edited": edited,
            "visible": visible,
            "editable": editable,
        }


def held(app: App, *, besides: str) -> dict[str, dict[str, Any]]:
    """What a node of the draft finds when it is run alone, by scope and name; not what it gave out itself."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for one in Inspection(app).everything():
        scope, name = one["selector"]
        if scope != besides:
            found[scope][name] = one["value"]
    return found
