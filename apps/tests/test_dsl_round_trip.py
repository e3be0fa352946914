"""The way there and back: an export holds all that the file held, and the same app gives the same bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.dsl import document, reader, writer

from .dsl_files import NAMES, as_dify_reads, exported, losses, parsed, raw_of

PLAIN_TEXT = some.text(some.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
SCALARS = some.none() | some.booleans() | some.integers(-(2**63), 2**64 - 1) | PLAIN_TEXT
NUMBERS = some.floats(allow_nan=False, allow_infinity=False)
VALUES = some.recursive(
    SCALARS | NUMBERS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(PLAIN_TEXT, inner, max_size=4),
    max_leaves=12,
)
EXTRA = some.dictionaries(PLAIN_TEXT.map(lambda name: f"x{name}"), VALUES, max_size=3)


@pytest.mark.parametrize("name", NAMES)
def test_an_export_holds_what_the_file_held(name: str) -> None:
    made = parsed(name)
    assert list(losses(raw_of(name), reader.read(exported(made, secretly=True)))) == []
    left_out = list(losses(raw_of(name), reader.read(exported(made))))
    assert all("shop_key" in text or "sk-shop" in text for text in left_out), left_out


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("secretly", [True, False])
def test_the_second_export_has_the_bytes_of_the_first(name: str, secretly: bool) -> None:
    first = exported(parsed(name), secretly=secretly)
    assert exported(document.parse(reader.read(first)), secretly=secretly) == first


@pytest.mark.parametrize("name", NAMES)
def test_dify_reads_what_is_written(name: str) -> None:
    text = exported(parsed(name), secretly=True)
    assert as_dify_reads(text) == reader.read(text)
    assert (as_dify_reads(text)["version"], as_dify_reads(text)["kind"]) == ("0.6.0", "app")


def test_the_comparison_of_these_tests_finds_what_is_lost() -> None:
    """So that the silence above means something."""
    source = raw_of("workflow_orders.yml")
    export = reader.read(exported(parsed("workflow_orders.yml"), secretly=True))
    del export["workflow"]["graph"]["viewport"]
    export["workflow"]["graph"]["nodes"][1]["data"]["method"] = "get"
    export["workflow"]["environment_variables"][2]["id"] = "tries"
    del export["origin"]
    assert list(losses(source, export)) == [
        "origin is gone",
        "workflow.environment_variables.2.id: 'tries' became 'tries'",
        "workflow.graph.nodes.1.data.method: 'post' became 'get'",
        "workflow.graph.viewport is gone",
    ]


@given(EXTRA, EXTRA, EXTRA, EXTRA, EXTRA, EXTRA)
def test_keys_that_nobody_knows_come_back(
    file: dict[str, Any],
    app: dict[str, Any],
    flow: dict[str, Any],
    node: dict[str, Any],
    edge: dict[str, Any],
    row: dict[str, Any],
) -> None:
    raw = {
        **file,
        "app": {**app, "name": "x", "mode": "workflow"},
        "workflow": {
            **flow,
            "features": file,
            "graph": {
                **flow,
                "nodes": [{**node, "id": "1", "data": {**node, "type": "never-heard-of"}}],
                "edges": [{**edge, "source": "1", "target": "2"}],
            },
            "conversation_variables": [{**row, "name": "v", "value_type": "string", "value": "x"}],
        },
    }
    text = exported(document.parse(raw), secretly=True)
    assert list(losses(raw, reader.read(text))) == []
    assert exported(document.parse(reader.read(text)), secretly=True) == text


@given(some.dictionaries(PLAIN_TEXT, VALUES, max_size=5))
def test_whatever_is_written_is_read_back_by_us_and_by_dify(value: dict[str, Any]) -> None:
    text = writer.write(value)
    assert reader.read(f"app: x\n{text}" if value else "{}") == ({"app": "x", **value} if value else {})
    assert as_dify_reads(text) == value


def test_key_order_does_not_matter() -> None:
    raw = raw_of("workflow_orders.yml")
    turned = {name: raw[name] for name in reversed(raw)}
    turned["app"] = {name: raw["app"][name] for name in reversed(raw["app"])}
    assert exported(document.parse(turned)) == exported(document.parse(raw))


def test_texts_are_written_as_dify_writes_them() -> None:
    written = writer.write({"a": "line\nline", "b": "🤖 中文", "c": "0.6.0", "d": "yes", "e": "\u2028 \x85", "f": ["x", None]})
    assert written == (
        "a: 'line\n\n  line'\nb: 🤖 中文\nc: 0.6.0\nd: 'yes'\ne: \"\\L \\N\"\nf:\n- x\n- null\n"
    )  # fmt: skip


def test_secrets_and_what_leads_back_here_stay_here() -> None:
    text = exported(parsed("workflow_orders.yml"))
    assert "sk-shop" not in text and "1f0e2d3c" not in text
    assert as_dify_reads(text)["workflow"]["environment_variables"][1]["value"] == ""
    assert as_dify_reads(text)["workflow"]["graph"]["nodes"][5]["data"]["outputs"] == {"credential_id": {"type": "string"}}
    for name, key in (("chatflow_memory.yml", "8c9d0e1f"), ("agent_chat_clerk.yml", "7b0d1d5f")):
        assert key not in exported(parsed(name))
        assert key in exported(parsed(name), secretly=True)


def test_the_addresses_of_triggers_stay_here_even_with_secrets() -> None:
    raw = raw_of("old_workflow.yml")
    hook = {"type": "trigger-webhook", "webhook_url": "https://here/x", "webhook_debug_url": "https://here/y", "method": "post"}
    plugin = {"type": "trigger-plugin", "subscription_id": "3f", "event_name": "x"}
    raw["workflow"]["graph"]["nodes"] += [{"id": "h", "data": hook}, {"id": "p", "data": plugin}]
    text = exported(document.parse(raw), secretly=True)
    assert "https://here" not in text and "subscription_id: ''" in text


def test_variables_get_uuids_that_are_the_same_each_time() -> None:
    first, second = (parsed("chatflow_memory.yml").flow for _ in range(2))
    assert first is not None and second is not None
    assert [row["id"] for row in first.conversation_variables] == [row["id"] for row in second.conversation_variables]
    assert first.conversation_variables[0]["id"] == "4e2d1c0b-9a8f-4e7d-8c6b-5a4f3e2d1c0b"


def test_two_variables_never_share_an_id() -> None:
    raw = raw_of("workflow_orders.yml")
    for row in raw["workflow"]["environment_variables"]:
        row["id"] = "0d8a2a64-08a1-4c8c-9f5e-6a0d2b1c7e33"
    flow = document.parse(raw).flow
    assert flow is not None and len({row["id"] for row in flow.environment_variables}) == 3


def test_notes_and_their_size_are_kept() -> None:
    flow = parsed("workflow_orders.yml").flow
    assert flow is not None
    note = flow.graph["nodes"][-1]
    assert (note["type"], note["data"]["theme"], note["height"]) == ("custom-note", "blue", 88)
    assert "selected" not in note["data"]


def test_an_image_of_another_workspace_becomes_the_usual_icon() -> None:
    looks = parsed("chatflow_memory.yml").app
    assert (looks.icon_type, looks.icon) == ("emoji", "🤖")


def test_the_plug_ins_of_nodes_become_dependencies() -> None:
    rows = as_dify_reads(exported(parsed("workflow_orders.yml")))["dependencies"]
    assert rows == [
        {
            "current_identifier": None,
            "type": "marketplace",
            "value": {"marketplace_plugin_unique_identifier": "acme/megaphone:1.2.3@abcdef"},
        }
    ]
    kept = as_dify_reads(exported(parsed("agent_chat_clerk.yml")))["dependencies"]
    assert kept == raw_of("agent_chat_clerk.yml")["dependencies"]
