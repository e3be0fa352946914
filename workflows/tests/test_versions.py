"""Versions: published from a draft that can run, kept as they were, and ready to run without a query while warm."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from difyproj.infra.models import AuditEntry
from difyproj.kernel.errors import AppUnavailable, BadRequest, DraftWorkflowNotExist, InvalidParam, NotFound
from difyproj.testing.cast import Cast, Person
from difyproj.testing.queries import counted
from workflows.engine.graph import GraphError
from workflows.models import Workflow
from workflows.services import drafts, environment, runnable, versions

from .rows import ENVIRONMENT, GRAPH, SECRET, drafted, graph_app, published, run_of, with_nodes

BROKEN: dict[str, Any] = with_nodes(("odd", {"type": "no such type"}))


def test_a_version_holds_what_the_draft_held(alice: Person) -> None:
    app = drafted(alice, features={"a": 1}, environment_variables=ENVIRONMENT)
    row = versions.publish(app, by=alice.account.pk, marked_name="One", marked_comment="The first.")
    draft = drafts.get(app)
    drafts.save(app, by=None, given_hash=None, graph={}, features={}, environment_variables=[])
    kept = versions.get(app, str(row.pk))
    assert (kept.graph, kept.features, kept.hash) == (GRAPH, {"a": 1}, draft.hash)
    assert (kept.marked_name, kept.marked_comment, kept.created_by_id) == ("One", "The first.", alice.account.pk)
    assert environment.values(kept) == {"KEY": SECRET, "LIMIT": 3}
    assert bytes(kept.sealed) != bytes(draft.sealed)
    assert kept.version == f"{kept.created_at:%Y-%m-%d %H:%M:%S.%f}"


def test_a_graph_that_cannot_run_is_not_published(alice: Person) -> None:
    second = with_nodes(("second", {"type": "start", "title": "Again", "variables": []}))
    for graph, path in ((BROKEN, "nodes.odd.type"), (second, "nodes"), ({}, "nodes")):
        app = drafted(alice, graph=graph)
        with pytest.raises(InvalidParam) as refused:
            versions.publish(app, by=None)
        assert refused.value.params == path
        assert versions.newest(app) is None
    with pytest.raises(DraftWorkflowNotExist):
        versions.publish(graph_app(alice), by=None)


def test_versions_are_listed_newest_first_by_page_name_and_account(cast: Cast) -> None:
    app = drafted(cast.alice)
    alice, bob = cast.alice.account.pk, cast.bob.account.pk
    rows = [versions.publish(app, by=by, marked_name=name) for by, name in ((alice, "One"), (bob, ""), (bob, "Three"))]
    first = versions.page(app, page=1, limit=2)
    assert ([row.pk for row in first.rows], first.has_more) == ([rows[2].pk, rows[1].pk], True)
    assert [row.pk for row in versions.page(app, page=2, limit=2).rows] == [rows[0].pk]
    assert [row.pk for row in versions.page(app, page=1, limit=9, by=bob, named_only=True).rows] == [rows[2].pk]


def test_only_name_and_comment_of_a_version_change(cast: Cast) -> None:
    app = published(cast.alice)
    before = Workflow.objects.versions().values().get()
    versions.rename(app, before["id"], by=cast.bob.account.pk, marked_name="Kept")
    versions.rename(app, before["id"], by=cast.bob.account.pk, marked_comment="For ever.")
    after = Workflow.objects.versions().values().get()
    changed = {name for (name, value), old in zip(after.items(), before.values(), strict=True) if value != old}
    assert changed == {"marked_name", "marked_comment", "updated_at", "updated_by_id"}
    with pytest.raises(InvalidParam):
        versions.rename(app, before["id"], by=None, marked_name="x" * 256)


def test_an_old_version_is_deleted_but_neither_the_published_one_nor_one_that_runs(alice: Person) -> None:
    app = published(alice)
    old = versions.newest(app)
    new = versions.publish(app, by=None)
    assert old is not None
    run_of(app, workflow_id=old.pk, status="paused")
    for needed in (old, new):
        with pytest.raises(BadRequest):
            versions.delete(app, needed.pk)
    other = drafts.get(app)
    with pytest.raises(NotFound):
        versions.delete(app, other.pk)
    old.app.workflow_runs.all().delete()
    versions.delete(app, old.pk)
    assert [row.pk for row in Workflow.objects.versions()] == [new.pk]
    assert AuditEntry.objects.filter(action="workflow.deleted", target_id=str(old.pk)).exists()


def test_a_version_is_taken_back_into_the_draft(alice: Person) -> None:
    app = published(alice, environment_variables=ENVIRONMENT)
    version = versions.newest(app)
    assert version is not None
    stale = drafts.save(app, by=None, given_hash=None, graph=BROKEN, environment_variables=[]).hash
    draft = versions.restore(app, version.pk, by=alice.account.pk)
    assert (draft.version, draft.graph, draft.hash) == ("draft", GRAPH, version.hash)
    assert draft.hash != stale
    assert environment.values(draft) == {"KEY": SECRET, "LIMIT": 3}


def test_a_warm_published_workflow_costs_no_query(alice: Person) -> None:
    app = published(alice, environment_variables=ENVIRONMENT)
    found = runnable.published(app)
    runnable.version(app, str(found.workflow_id))
    with counted() as statements:
        assert runnable.published(app) is found
        assert runnable.version(app, "published") is found
        runnable.version(app, str(found.workflow_id))
    assert statements == []
    assert found.environment == {"KEY": SECRET, "LIMIT": 3}
    assert found.secrets == {SECRET}
    assert SECRET not in repr(found)
    assert found.graph.entry == "start"


def test_a_new_version_runs_at_once(alice: Person) -> None:
    app = published(alice)
    first = runnable.published(app)
    drafts.save(app, by=None, given_hash=None, features={"new": True})
    assert runnable.published(app) is first
    second = versions.publish(app, by=None)
    assert runnable.published(app).workflow_id == second.pk
    assert runnable.version(app, str(first.workflow_id)).features == {}
    versions.delete(app, first.workflow_id)
    with pytest.raises(NotFound):
        runnable.version(app, str(first.workflow_id))


def test_versions_are_known_by_their_aliases(alice: Person) -> None:
    app = drafted(alice)
    with pytest.raises(runnable.NotPublished):
        runnable.published(app)
    draft = runnable.version(app, "draft")
    assert (draft.is_draft, draft.workflow_id, draft.raw) == (True, drafts.get(app).pk, GRAPH)
    with pytest.raises(BadRequest):
        runnable.version(app, "newest")
    for unknown in (str(uuid4()), str(draft.workflow_id)):
        with pytest.raises(NotFound):
            runnable.version(app, unknown)
    drafts.save(app, by=None, given_hash=None, graph=BROKEN)
    with pytest.raises(GraphError):
        runnable.version(app, "draft")


def test_a_published_graph_whose_node_type_is_gone_makes_the_app_unavailable(alice: Person) -> None:
    app = published(alice)
    Workflow.objects.versions().update(graph=BROKEN)
    with pytest.raises(AppUnavailable, match="no such type"):
        runnable.published(app)


def test_versions_of_other_tenants_and_apps_are_not_found(cast: Cast) -> None:
    mine, other, theirs = published(cast.alice), published(cast.alice), published(cast.eve)
    version = versions.newest(mine)
    assert version is not None
    for app in (other, theirs):
        for refused in (
            lambda app=app: versions.get(app, version.pk),
            lambda app=app: versions.rename(app, version.pk, by=None, marked_name="Mine"),
            lambda app=app: versions.delete(app, version.pk),
            lambda app=app: versions.restore(app, version.pk, by=None),
            lambda app=app: runnable.version(app, str(version.pk)),
        ):
            with pytest.raises(NotFound):
                refused()
    assert Workflow.objects.visible_to(cast.eve.principal).versions().get().app_id == theirs.pk
