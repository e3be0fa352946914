"""template-transform: Jinja2 as Dify's users know it, and no template that harms the server."""

from __future__ import annotations

from typing import Any

import pytest

from difyproj.kernel.errors import InvalidParam
from workflows.engine.pool import VariablePool

from .nodes import done, file


async def rendered(template: str, **values: Any) -> str:
    variables = [{"variable": name, "value_selector": ["v", name]} for name in [*values, "none"]]
    end = await done("template-transform", {"template": template, "variables": variables}, VariablePool({"v": values}))
    assert end.inputs == {**values, "none": None}
    return str(end.outputs["output"])


async def test_a_template_without_tags_keeps_its_text_and_loses_its_last_line_end() -> None:
    assert await rendered("{a}\r\nb\rc\n\n") == "{a}\nb\nc\n"


async def test_values_read_as_in_jinja2() -> None:
    template = "{{ t }}|{{ none }}|{{ yes }}|{{ d }}|{{ l }}|{{ unknown }}|{{ f.filename }}|{{ l|length }}|{{ d|tojson }}\r\n\n"
    text = await rendered(template, t="<é>", yes=True, d={"a": [1, None]}, l=["x", 1.5], f=file())
    assert text == "<é>|None|True|{'a': [1, None]}|['x', 1.5]||a.txt|2|" + '{"a": [1, null]}' + "\n"


async def test_loops_branches_filters_and_methods_work() -> None:
    loop = "{% for k, v in d.items() %}{% if v > n %}{{ k }}={{ v }};{% endif %}{% endfor %}"
    template = "{% set n = '2'|float %}" + loop + "{{ l|join('+') }}"
    assert await rendered(template, d={"a": 1, "b": 3}, l=[1, "x"]) == "b=3;1+x"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("a\n{{ 1 + }}", "Line 2"),
        ("{{ none.a.b }}", "undefined"),
        ("{% include '/etc/passwd' %}", "non-existing"),
        ("{{ debug() }}", "unknown"),
        ("{{ ''.__class__.__mro__[1] }}", "undefined"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", "fuel"),
        ("{{ 'a' * 400001 }}", "400000 characters"),
        ("{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "memory"),
        ("{% for i in range(9999) %}" + "x" * 390_000 + "{% endfor %}", "memory"),
        ("x" * 400_001, "400000 characters"),
    ],
)
async def test_a_template_that_is_wrong_or_a_bomb_fails_in_words(template: str, told: str) -> None:
    with pytest.raises(InvalidParam, match=told) as refusal:
        await rendered(template)
    assert refusal.value.params == "template"


async def test_text_that_is_no_unicode_and_values_without_end_do_no_harm() -> None:
    assert await rendered("[{{ v }}]", v="\x00") == "[\x00]"
    assert (await rendered("[{{ v }}]", v="\ud800")).startswith("[")
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidParam):
        await rendered("[{{ v }}]", v=endless)
