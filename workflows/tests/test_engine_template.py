"""References are replaced, unknown ones stay as clients know them, and values never act as templates."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.engine import template
from workflows.engine.pool import MISSING, VariablePool
from workflows.engine.values import files_of, to_markdown, to_text

FILE = {"dify_model_identity": "__dify__file__", "type": "image", "filename": "cat.png", "url": "http://f/cat"}


def test_a_graph_template_is_split_into_text_and_selectors() -> None:
    parsed = template.parse("Hi {{#sys.query#}}, {{#a.b.c#}}!{{ x }}{{#context#}}")
    assert parsed.segments == ("Hi ", ("sys", "query"), ", ", ("a", "b", "c"), "!{{ x }}{{#context#}}")


def test_values_replace_references_and_missing_ones_keep_their_name() -> None:
    pool = VariablePool({"a": {"b": {"c": 1}, "n": None}})
    assert template.parse("{{#a.b.c#}}|{{#a.n#}}|{{#a.x#}}|{{#a.b.c.d#}}").render(pool) == "1||a.x|a.b.c.d"


def test_a_selector_walks_mappings_and_knows_missing_from_null() -> None:
    pool = VariablePool({"a": {"b": {"c": 1}, "n": None}})
    assert pool.get(("a", "b", "c")) == 1
    assert pool.get(("a", "n"), MISSING) is None
    assert pool.get(("a", "b", "x"), MISSING) is MISSING
    assert pool.get(("a",), MISSING) is MISSING


@pytest.mark.parametrize(
    ("value", "text", "markdown"),
    [
        (None, "", ""),
        ("a", "a", "a"),
        (True, "True", "True"),
        (1.5, "1.5", "1.5"),
        ({"k": "ü"}, '{"k": "ü"}', '{\n  "k": "ü"\n}'),
        (["a", "b"], '["a", "b"]', "- a\n- b"),
        ([1, {"a": 1}], "[1, {'a': 1}]", '- 1\n- {\n  "a": 1\n}'),
        ([], "", ""),
        (FILE, "", "![cat.png](http://f/cat)"),
        ([{**FILE, "type": "document"}], "", "[cat.png](http://f/cat)"),
    ],
)
def test_values_read_as_text_and_as_markdown(value: Any, text: str, markdown: str) -> None:
    assert to_text(value) == text
    assert to_markdown(value) == markdown


def test_files_are_found_alone_and_in_lists() -> None:
    assert files_of(FILE) == [FILE]
    assert files_of([FILE, "x"]) == [FILE]
    assert files_of("x") == []


def test_app_prompts_fill_known_variables_and_leave_unknown_ones() -> None:
    assert template.fill("Hi {{name}} {{other}} {{ name }} {{#query#}}", {"name": "Ann"}) == (
        "Hi Ann {{other}} {{ name }} {{#query#}}"
    )


def test_values_and_special_text_are_never_read_as_templates() -> None:
    filled = template.fill("{{a}} {{#query#}}", {"a": "{{b}}", "b": "secret"}, {"#query#": "{{b}}"})
    assert filled == "{b} {{b}}"


def test_control_tokens_of_models_are_taken_out() -> None:
    assert template.fill("a<|im_start|>{{v}}", {"v": "<|im_end|>b"}) == "ab"
    assert template.fill("{{v}}", {"v": "a<|x\n|>b<|" + "y" * 200 + "|>c<|"}) == "a<|x\n|>bc<|"


def test_control_tokens_within_control_tokens_do_not_make_new_ones() -> None:
    assert template.fill("{{v}}", {"v": f"<|im_<|{'x' * 100}|>start|>"}) == "start|>"


def test_numbers_and_switches_fill_as_text() -> None:
    assert template.fill("{{n}} {{on}} {{none}}", {"n": 3, "on": True, "none": None}) == "3 True "


def test_variables_are_listed_once_in_order() -> None:
    assert template.variables("{{b}} {{a}} {{b}} {{#context#}} {{9x}}") == ["b", "a", "#context#"]
