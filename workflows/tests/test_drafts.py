"""The draft: saved by whoever holds its fingerprint, checked for its shape and never for being finished, secrets sealed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from accounts.services import data_keys
from difyproj.infra.models import AuditEntry
from difyproj.kernel.errors import DraftWorkflowNotExist, DraftWorkflowNotSync, InvalidParam
from difyproj.testing.cast import Cast, Person
from workflows.models import Workflow
from workflows.services import definitions, drafts, environment

from .rows import ENVIRONMENT, GRAPH, SECRET, drafted, graph_app, with_nodes


def text_variable(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "value_type": "string", "value": "", **fields}


def test_an_app_without_a_draft_says_so(alice: Person) -> None:
    with pytest.raises(DraftWorkflowNotExist):
        drafts.get(graph_app(alice))


@pytest.mark.parametrize(("mode", "types"), [("workflow", ["start"]), ("advanced-chat", ["start", "llm", "answer"])])
def test_a_new_app_begins_with_its_modes_first_graph(alice: Person, mode: str, types: list[str]) -> None:
    app = graph_app(alice, mode)
    row = drafts.get_or_create(app, by=alice.account.pk)
    assert [node["data"]["type"] for node in row.graph["nodes"]] == types
    assert drafts.get_or_create(app).pk == row.pk
    assert (row.version, row.created_by_id) == ("draft", alice.account.pk)


def test_a_save_with_the_present_fingerprint_changes_the_draft(alice: Person) -> None:
    app = drafted(alice)
    before = drafts.get(app)
    after = drafts.save(app, by=alice.account.pk, given_hash=before.hash, graph=with_nodes(("n", {"type": "code"})))
    kept = drafts.get(app)
    assert (kept.pk, kept.hash) == (before.pk, after.hash)
    assert kept.hash != before.hash
    assert [node["id"] for node in kept.graph["nodes"]] == ["start", "end", "n"]
    assert kept.updated_at > before.updated_at


def test_a_save_with_an_old_fingerprint_is_refused_and_changes_nothing(alice: Person) -> None:
    app = drafted(alice)
    old = drafts.get(app).hash
    drafts.save(app, by=None, given_hash=old, features={"opening_statement": "Hi"})
    for stale in (old, "", "x"):
        with pytest.raises(DraftWorkflowNotSync):
            drafts.save(app, by=None, given_hash=stale, graph={"nodes": [], "edges": []})
    assert drafts.get(app).graph == GRAPH


def test_of_two_editors_who_save_at_once_one_is_told(alice: Person) -> None:
    app = drafted(alice)
    old = drafts.get(app).hash

    def save(number: int) -> str:
        try:
            return drafts.save(app, by=None, given_hash=old, features={"by": number}).hash
        except DraftWorkflowNotSync:
            return ""
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        saved = [made for made in threads.map(save, range(6)) if made]
    assert [drafts.get(app).hash] == saved


def test_what_a_leaving_page_sends_twice_is_saved_once(alice: Person) -> None:
    app = drafted(alice)
    old = drafts.get(app).hash
    first = drafts.save(app, by=None, given_hash=old, features={"a": 1})
    entries = AuditEntry.objects.count()
    second = drafts.save(app, by=None, given_hash=old, features={"a": 1})
    assert (first.hash, first.updated_at) == (second.hash, second.updated_at)
    assert AuditEntry.objects.count() == entries


def test_parts_that_are_not_given_stay(alice: Person) -> None:
    app = drafted(alice, features={"a": 1}, environment_variables=ENVIRONMENT)
    drafts.save(app, by=None, given_hash=None, conversation_variables=[text_variable("topic")])
    row = drafts.get(app)
    assert (row.graph, row.features) == (GRAPH, {"a": 1})
    assert environment.values(row) == {"KEY": SECRET, "LIMIT": 3}
    assert row.conversation_variables[0]["selector"] == ["conversation", "topic"]


@pytest.mark.parametrize(
    "graph",
    [
        {},
        {"nodes": [], "edges": []},
        {"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "nowhere"}]},
        {"nodes": [{"id": "a", "data": {"type": "no such type"}}], "edges": [], "viewport": {"x": 1.5}, "odd": None},
    ],
)
def test_unfinished_graphs_are_kept_as_they_are(alice: Person, graph: dict[str, Any]) -> None:
    app = drafted(alice, graph=graph)
    assert drafts.get(app).graph == {"nodes": [], "edges": [], **graph}


def nested(levels: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(levels):
        made = {"inside": made}
    return made


@pytest.mark.parametrize(
    ("graph", "field"),
    [
        ([], "graph"),
        ("x", "graph"),
        ({"nodes": {}, "edges": []}, "graph.nodes"),
        ({"nodes": ["x"], "edges": []}, "graph.nodes"),
        ({"nodes": [], "edges": [1]}, "graph.edges"),
        ({"nodes": [{}] * 2_001, "edges": []}, "graph.nodes"),
        ({"nodes": [{"id": "x" * 256}]}, "graph.nodes.0.id"),
        ({"nodes": [], "odd": nested(100)}, "graph"),
        ({"nodes": [], "odd": "x" * 6_000_000}, "graph"),
        ({"nodes": [], "odd": 10**40}, "graph"),
        ({"nodes": [], "odd": float("nan")}, "graph"),
    ],
)
def test_graphs_of_the_wrong_shape_are_refused(alice: Person, graph: Any, field: str) -> None:
    app = drafted(alice)
    with pytest.raises(InvalidParam) as refused:
        drafts.save(app, by=None, given_hash=None, graph=graph)
    assert refused.value.params == field
    assert drafts.get(app).graph == GRAPH


def test_no_nul_character_reaches_the_database(alice: Person) -> None:
    app = drafted(alice, graph=with_nodes(("n\0", {"title": "a\0b"})), environment_variables=[text_variable("A\0", value="\0")])
    row = drafts.get(app)
    assert row.graph["nodes"][-1] == {"id": "n", "data": {"title": "ab"}}
    assert environment.values(row) == {"A": ""}


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("x", "0"),
        ({"value_type": "string"}, "0.name"),
        (text_variable(" "), "0.name"),
        (text_variable("x" * 256), "0.name"),
        ({"name": "A", "value_type": "strange"}, "0.value_type"),
        ({"name": "A", "value_type": ["string"]}, "0.value_type"),
        ({"name": "A", "value_type": "number", "value": "many"}, "0.value"),
        ({"name": "A", "value_type": "array[number]", "value": ["x"]}, "0.value"),
        (text_variable("A", value="x" * 200_001), "0.value"),
    ],
)
def test_variables_that_are_not_valid_are_refused_by_name(alice: Person, variable: Any, field: str) -> None:
    app = drafted(alice)
    for part in ("environment_variables", "conversation_variables"):
        with pytest.raises(InvalidParam) as refused:
            drafts.save(app, by=None, given_hash=None, **{part: [variable]})
        assert refused.value.params == f"{part}.{field}"


def test_two_variables_of_one_name_are_refused(alice: Person) -> None:
    with pytest.raises(InvalidParam, match="Two variables"):
        drafted(alice, environment_variables=[text_variable("A"), text_variable("A")])


def test_an_id_that_is_no_uuid_is_replaced_by_the_same_one_each_time(alice: Person) -> None:
    app = drafted(alice)
    given = [text_variable("A", id="old"), text_variable("B", id=ENVIRONMENT[0]["id"])]
    found = definitions.checked(given, field="conversation_variables", app_id=app.pk)
    assert found == definitions.checked(given, field="conversation_variables", app_id=app.pk)
    assert found[1]["id"] == ENVIRONMENT[0]["id"]
    assert found[0]["id"] not in ("old", found[1]["id"])


def test_text_that_writes_a_value_is_read_and_nothing_is_the_types_zero() -> None:
    assert definitions.typed("3.5", "number") == 3.5
    assert definitions.typed('["a"]', "array[string]") == ["a"]
    assert definitions.typed("", "array[object]") == []
    assert definitions.typed(None, "object") == {}
    assert definitions.typed("3.5", "string") == "3.5"


def test_a_secret_is_sealed_shown_masked_and_opened_for_runs(alice: Person) -> None:
    app = drafted(alice, environment_variables=ENVIRONMENT)
    row = drafts.get(app)
    assert SECRET not in str(Workflow.objects.filter(pk=row.pk).values())
    assert SECRET.encode() not in bytes(row.sealed)
    shown = drafts.shown_environment(app)
    assert SECRET not in str(shown)
    assert [variable["name"] for variable in shown] == ["KEY", "LIMIT"]
    assert environment.values(row) == {"KEY": SECRET, "LIMIT": 3}
    assert SECRET not in str(list(AuditEntry.objects.values_list("before", "after")))


def test_a_secret_that_comes_back_masked_stays(alice: Person) -> None:
    app = drafted(alice, environment_variables=ENVIRONMENT)
    for value in (drafts.shown_environment(app)[0]["value"], environment.UNCHANGED):
        before = drafts.get(app).hash
        drafts.save(app, by=None, given_hash=before, environment_variables=[{**ENVIRONMENT[0], "value": value}])
        assert environment.values(drafts.get(app)) == {"KEY": SECRET}
    renewed = drafts.save(app, by=None, given_hash=None, environment_variables=[{**ENVIRONMENT[0], "value": "new"}])
    assert environment.values(renewed) == {"KEY": "new"}
    assert renewed.hash != before


def test_secrets_outlive_a_new_key_of_their_tenant(alice: Person) -> None:
    app = drafted(alice, environment_variables=ENVIRONMENT)
    before = bytes(drafts.get(app).sealed)
    assert data_keys.renew(alice.tenant.pk) >= 1
    row = drafts.get(app)
    assert bytes(row.sealed) != before
    assert environment.values(row) == {"KEY": SECRET, "LIMIT": 3}


def test_the_audit_tells_of_large_graphs_by_their_fingerprint(alice: Person) -> None:
    app = drafted(alice)
    drafts.save(app, by=None, given_hash=None, graph=with_nodes(("n", {"text": "x" * 60_000})))
    after = AuditEntry.objects.filter(action="workflow.updated").latest("created_at").after
    assert after is not None and set(after["graph"]) == {"bytes", "sha256"}


def test_drafts_of_other_tenants_are_out_of_reach(cast: Cast) -> None:
    app = drafted(cast.alice)
    assert not Workflow.objects.visible_to(cast.eve.principal).exists()
    assert Workflow.objects.visible_to(cast.norma.principal).get().app_id == app.pk


def test_a_save_asks_the_database_a_fixed_number_of_times(
    alice: Person, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    app = drafted(alice, environment_variables=ENVIRONMENT)
    row = drafts.get(app)
    with django_assert_max_num_queries(10):
        drafts.save(app, by=None, given_hash=row.hash, graph=with_nodes(("n", {})), environment_variables=ENVIRONMENT)
    with django_assert_max_num_queries(1):
        drafts.shown_environment(app)
