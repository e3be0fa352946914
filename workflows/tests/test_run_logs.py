"""The log of a workflow app: published runs, found by what was said, who said it, when and how it ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.models import App, EndUser
from difyproj.kernel import clock
from difyproj.testing.cast import Cast, Person
from difyproj.testing.queries import counted
from workflows.models import WorkflowRun
from workflows.services import logs
from workflows.services.logs import Filters

from .rows import graph_app, run_of

NOW = clock.now()


def found(app: App, **filters: Any) -> list[Any]:
    return [row.run_id for row in logs.page(app, Filters(**filters), page=1, limit=50).rows]


@pytest.fixture
def app(alice: Person) -> App:
    return graph_app(alice)


def test_published_runs_are_listed_newest_first_and_debug_runs_are_not(app: App) -> None:
    rows = [run_of(app, at=NOW - timedelta(minutes=number)) for number in range(3)]
    run_of(app, triggered_from="debugging")
    first = logs.page(app, Filters(), page=1, limit=2)
    assert ([row.run_id for row in first.rows], first.total, first.has_more) == ([rows[0].run_id, rows[1].run_id], 3, True)
    assert [row.run_id for row in logs.page(app, Filters(), page=2, limit=2).rows] == [rows[2].run_id]


@pytest.mark.parametrize("keyword", ["Größe", "größe", 'say "hi"', "日本"])
def test_a_keyword_is_found_in_what_was_given_and_what_came_out(app: App, keyword: str) -> None:
    given = run_of(app, inputs={"text": f"... {keyword} ..."})
    came = run_of(app, outputs={"answer": [keyword]})
    run_of(app, inputs={"text": "else"}, outputs={"answer": "else"})
    assert set(found(app, keyword=keyword)) == {given.run_id, came.run_id}


def test_a_keyword_is_found_in_the_persons_name_and_as_the_runs_id(app: App) -> None:
    user = EndUser.objects.create(tenant=app.tenant, app=app, type="service-api", session_id="integrators-ann")
    row, other = run_of(app, end_user=user), run_of(app)
    assert found(app, keyword="ANN") == found(app, end_user="integrators-ann") == [row.run_id]
    assert found(app, keyword=str(other.run_id)) == [other.run_id]
    assert found(app, keyword="%") == found(app, keyword="nothing\0") == found(app, end_user="ann") == []


def test_the_log_is_narrowed_by_status_time_and_account(cast: Cast) -> None:
    app = graph_app(cast.alice)
    old = run_of(app, at=NOW - timedelta(days=2), status="failed")
    new = run_of(app, at=NOW, account_id=cast.bob.account.pk)
    assert found(app, status="failed") == [old.run_id]
    assert found(app, after=NOW - timedelta(days=1)) == [new.run_id]
    assert found(app, before=NOW - timedelta(days=1)) == [old.run_id]
    assert found(app, account="BOB@acme.example") == [new.run_id]
    assert found(app, account="nobody@acme.example") == []


def test_a_page_costs_two_queries_at_most(app: App) -> None:
    user = EndUser.objects.create(tenant=app.tenant, app=app, type="service-api", session_id="u1")
    for _ in range(6):
        run_of(app, end_user=user, inputs={"text": "rain"})
    for filters in (Filters(), Filters(keyword="rain", status="succeeded", end_user="u1")):
        with counted() as statements:
            page = logs.page(app, filters, page=1, limit=3)
            assert [(row.run.status, row.run.end_user) for row in page.rows] == [("succeeded", user)] * 3
        assert len([text for text in statements if "set_config" not in text]) == 2


def test_the_log_of_another_tenant_is_its_own(cast: Cast) -> None:
    mine, theirs = graph_app(cast.alice), graph_app(cast.eve)
    run_of(mine, inputs={"text": "rain"})
    assert found(theirs) == found(theirs, keyword="rain") == []
    assert WorkflowRun.objects.visible_to(cast.bob.principal).logged().count() == 1
