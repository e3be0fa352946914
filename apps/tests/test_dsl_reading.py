"""A DSL file may come from anybody: what is read, and what is refused before anything is built from it (E5)."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as some

from apps.dsl import reader, writer
from apps.dsl.document import parse
from apps.dsl.errors import DslError
from apps.dsl.versions import CURRENT, Fit, fit

from .dsl_files import NAMES, raw_of, text_of

MINIMAL = "app: {mode: workflow, name: x}\nworkflow: {graph: {nodes: [], edges: []}}\n"


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".yml")])
def test_a_file_is_read_as_dify_reads_it(name: str) -> None:
    assert raw_of(name) == yaml.safe_load(text_of(name))


def test_an_answer_of_the_export_route_is_unwrapped_with_its_emojis() -> None:
    assert "\\ud83d" in text_of("wrapped.json")
    assert raw_of("wrapped.json") == raw_of("old_workflow.yml")
    assert raw_of("wrapped.json")["app"]["icon"] == "📜"


def test_a_whole_file_may_be_json_and_may_begin_with_a_mark() -> None:
    whole = raw_of("chat_helper.yml")
    assert reader.read(json.dumps(whole)) == whole
    assert reader.read(b"\xef\xbb\xbf" + MINIMAL.encode()) == reader.read(MINIMAL)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("2024-01-31", "2024-01-31"), ("=", "="), (".nan", "nan"), ("1.0e+400", "inf"), ("0x1F", 31), ("1" * 60, "1" * 60),
        ("yes", True), ("~", None), ('"\\u00e9"', "é"), ("1:30", 90), ("1" * 5000, "1" * 5000),
    ],
)  # fmt: skip
def test_a_value_that_json_lacks_stays_its_text(scalar: str, value: object) -> None:
    assert reader.read(f"a: {scalar}") == {"a": value}


def test_keys_become_texts() -> None:
    assert reader.read("2: a\ntrue: b\n~: c\n1.5: d") == {"2": "a", "true": "b", "null": "c", "1.5": "d"}


def test_an_alias_is_written_out() -> None:
    found = reader.read("a: &x {n: [1]}\nb: *x\nc: {<<: *x, m: 2}")
    assert found == {"a": {"n": [1]}, "b": {"n": [1]}, "c": {"n": [1], "m": 2}}
    assert "*" not in writer.write(found) and "&" not in writer.write(found)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "an object of Python": ("a: !!python/object/apply:os.system ['touch {mark}']", "tag"),
    "a module of Python": ("a: !!python/module:os", "tag"),
    "a tag of its own": ("a: !shell id", "tag"),
    "bytes": ("a: !!binary aGVsbG8=", "tag"),
    "a set": ("a: !!set {x, y}", "tag"),
    "an anchor bomb": (BOMB, "values"),
    "a bomb of merges": (MERGES, "values"),
    "a bomb of text": (f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 2_000)}]", "values"),
    "an alias of itself": ("a: &a [*a]", "alias"),
    "an alias of nothing": ("a: *b", "alias"),
    "deep lists": ("a: " + "[" * 100_000, "levels"),
    "deep mappings": ("{a: " * 100_000, "levels"),
    "deep JSON": ('{"a":' * 100_000, "levels"),
    "many values": (f"a: [{'1, ' * 300_000}]", "values"),
    "many values of JSON": (json.dumps({"a": [1] * 300_000}), "values"),
    "100 MB": ("a: " + "x" * (100 * 1024 * 1024), "10MB"),
    "100 MB of JSON inside": (json.dumps({"data": "a: " + "x" * (11 * 1024 * 1024)}), "10MB"),
    "a NUL": ('a: "\\0"', "NUL"),
    "a NUL of JSON": (json.dumps({"a": {"b\0": 1}}), "NUL"),
    "half an emoji": ('{"a": "\\ud83d"}', "surrogate"),
    "a list": ("- a", "mapping"),
    "nothing": ("", "mapping"),
    "a text": ("hello", "mapping"),
    "two documents": ("a: 1\n---\nb: 2", "Invalid YAML"),
    "an unknown number": ("a: !!int x", "Invalid YAML"),
    "an unhashable key": ("{[a]: b}", "Invalid YAML"),
    "no YAML": ("a: 'b", "line 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_at_once(name: str, tmp_path: Path) -> None:
    text, told = REFUSED[name]
    mark = tmp_path / "mark"
    began = time.perf_counter()
    with pytest.raises(DslError) as caught:
        reader.read(text.replace("{mark}", str(mark)))
    assert told in caught.value.message
    assert len(caught.value.message) < 300
    assert time.perf_counter() - began < 5
    assert not mark.exists()


def test_a_long_number_of_base_60_takes_no_time() -> None:
    began = time.perf_counter()
    assert reader.read("a: 1" + ":59" * 1_000_000)["a"].startswith("1:59")
    assert time.perf_counter() - began < 5


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(DslError, match="UTF-8"):
        reader.read(b"a: \xff")


@given(some.text(max_size=200))
@example("0b_")
@example("a: !!float _")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(reader.read(text), dict)
    except DslError as error:
        assert error.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nodes: []\nedges: []", "Missing app data"),
        ("app: {}", "Missing app data"),
        ("app: [workflow]", "Missing app data"),
        ("kind: rag_pipeline\napp: {mode: workflow}\nworkflow: {graph: {}}", "rag_pipeline"),
        ("app: {name: x}", "Unknown app mode"),
        ("app: {mode: ../../etc/passwd}", "Unknown app mode"),
        ("app: {mode: [chat]}", "Unknown app mode"),
        ("app: {mode: chat}", "Missing model_config"),
        ("app: {mode: workflow}\nmodel_config: {a: 1}", "Missing workflow"),
        ("app: {mode: workflow}\nworkflow: {graph: []}", "workflow.graph must be a mapping"),
        ("app: {mode: workflow}\nworkflow: {graph: {nodes: {}}}", "nodes must be a list"),
        ("app: {mode: workflow}\nworkflow: {graph: {nodes: [x]}}", "nodes.0 must be a mapping"),
        ("app: {mode: workflow}\nworkflow: {graph: {edges: [null]}}", "edges.0 must be a mapping"),
        ("app: {mode: workflow}\nworkflow: {graph: {}, features: [1]}", "features must be a mapping"),
        ("app: {mode: workflow}\nworkflow: {graph: {}, environment_variables: {a: 1}}", "environment_variables must be a list"),
        ("app: {mode: workflow}\nworkflow: {graph: {}, environment_variables: [{variable: x}]}", "name is missing"),
        (f"app: {{mode: workflow, name: {'x' * 256}}}\nworkflow: {{graph: {{}}}}", "app.name has more than 255"),
    ],
)  # fmt: skip
def test_what_is_no_app_of_a_known_mode_is_refused(text: str, told: str) -> None:
    with pytest.raises(DslError, match=told):
        parse(reader.read(text))


def test_an_app_without_looks_gets_some() -> None:
    looks = parse(reader.read("app: {mode: workflow, icon: '', name: null}\nworkflow: {graph: {}}")).app
    assert (looks.name, looks.icon, looks.icon_type, looks.icon_background) == ("Untitled", "🤖", "emoji", "#FFEAD5")


def test_a_workflow_without_a_graph_is_an_empty_one() -> None:
    flow = parse(reader.read("app: {mode: workflow}\nworkflow: {nodes: [{id: a}]}")).flow
    assert flow is not None and flow.graph == {"nodes": [], "edges": []}


def test_a_version_may_be_missing_or_a_number() -> None:
    assert parse(reader.read(MINIMAL)).version == "0.1.0"
    assert parse(reader.read(f"{MINIMAL}version: 0.5")).version == "0.5"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.1.0", Fit.WITH_WARNINGS), ("0.1.5", Fit.WITH_WARNINGS), ("0.5", Fit.WITH_WARNINGS), ("0.6.0", Fit.COMPLETED),
        (CURRENT, Fit.COMPLETED), ("0.6.1", Fit.PENDING), ("0.7.0", Fit.PENDING), ("99.0.0", Fit.PENDING),
        ("0.6.0rc1", Fit.COMPLETED),
    ],
)  # fmt: skip
def test_a_version_is_taken_waits_or_warns(version: str, expected: Fit) -> None:
    assert fit(version) is expected


@pytest.mark.parametrize("version", ["", "six", "1", "../0.6.0", "9" * 5000, "0.1." + "9" * 5000])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(DslError, match="Invalid DSL version"):
        fit(version)
