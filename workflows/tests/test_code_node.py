"""code: what main gets, what it may return, and how it fails, as Dify's users know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from difyproj.kernel.errors import InvalidParam
from workflows.engine.code_result import Checker, Output, OutputValidationError
from workflows.engine.pool import VariablePool
from workflows.engine.ports import CodeExecutionError, CodeLimits
from workflows.nodes import NODES

from .nodes import done, file, pool_of

ECHO = {"python3": "def main(**given):\n    return {'seen': given}", "javascript": "const main = (given) => ({seen: given})"}


def data(code: str, outputs: Mapping[str, str], *variables: str, language: str = "python3") -> dict[str, Any]:
    rows = [{"variable": name, "value_selector": ["conversation", name]} for name in variables]
    declared = {name: {"type": kind, "children": None} for name, kind in outputs.items()}
    return {"code": code, "code_language": language, "variables": rows, "outputs": declared, "dependencies": []}


async def returned(code: str, outputs: Mapping[str, str], *, language: str = "python3", **values: Any) -> Mapping[str, Any]:
    return (await done("code", data(code, outputs, *values, language=language), pool_of(values))).outputs


@pytest.mark.parametrize("language", ECHO)
async def test_main_gets_every_value_as_json_has_it(language: str) -> None:
    values = {"text": "é\U0001f600", "number": 1.5, "whole": 2**53, "yes": True, "none": None, "list": [1, "a"], "file": file()}
    end = await done("code", data(ECHO[language], {"seen": "object"}, *values, "gone", language=language), pool_of(values))
    assert end.inputs == {**values, "gone": None}
    assert end.outputs == {"seen": {**values, "gone": None}}


async def test_an_empty_list_of_files_is_null_and_another_empty_list_is_not() -> None:
    pool = pool_of({"files": [], "texts": []}, files="array[file]", texts="array[string]")
    end = await done("code", data(ECHO["python3"], {"seen": "object"}, "files", "texts"), pool)
    assert end.outputs == {"seen": {"files": None, "texts": []}}
    rows = [{"variable": "files", "value_selector": ["sys", "files"], "value_type": "array[file]"}]
    end = await done(
        "code", {**data(ECHO["python3"], {"seen": "object"}), "variables": rows}, VariablePool({"sys": {"files": []}})
    )
    assert end.outputs == {"seen": {"files": None}}


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("string", "'a\\x00b'", "ab"),
        ("string", "'1e+5'", "1e+5"),
        ("string", "None", None),
        ("number", "3", 3),
        ("number", "True", 1),
        ("number", "'1e+5'", 100000.0),
        ("number", "2**63 - 1", 2**63 - 1),
        ("boolean", "False", False),
        ("object", "{'a': [{'b': (1, 2.5)}], 3: None}", {"a": [{"b": [1, 2.5]}], "3": None}),
        ("array[number]", "list(range(1000))", list(range(1000))),
        ("array[string]", "['a', None]", ["a", None]),
        ("array[boolean]", "[True]", [True]),
        ("array[object]", "[{'a': 1}, None]", [{"a": 1}, None]),
    ],
)
async def test_what_fits_its_declared_type_is_kept(kind: str, value: str, kept: Any) -> None:
    assert await returned(f"def main():\n    return {{'out': {value}}}", {"out": kind}) == {"out": kept}


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("string", "1", "Output out is not a string, got a number instead."),
        ("string", "'x' * 400001", "The length of output variable `out` must be less than 400000 characters."),
        ("number", "'1'", "Output out is not a number, got a string instead."),
        ("number", "2**63", "Output variable `out` is out of range, it must be between"),
        ("number", "1.5e-21", "Output variable `out` has too high precision, it must be less than 20 digits."),
        ("boolean", "1", "Output out is not a boolean, got a number instead."),
        ("object", "[]", "Output out is not an object, got an array instead."),
        ("object", "{'a': {'b': {'c': {'d': {}}}}}", "Depth limit 5 reached, object too deep."),
        ("object", "{'a': 'x' * 400001}", "The length of output variable `out.a` must be"),
        ("array[string]", "'a'", "Output out is not an array, got a string instead."),
        ("array[string]", "['a'] * 31", "The length of output variable `out` must be less than 30 elements."),
        ("array[string]", "['a', 1]", "Output out[1] is not a string, got a number instead."),
        ("array[number]", "[0] * 1001", "must be less than 1000 elements."),
        ("array[object]", "[{}] * 31", "must be less than 30 elements."),
        ("array[object]", "[{}, 'a']", "Output out[1] is not an object, got a string instead."),
        ("array[any]", "[]", "Output type array[any] is not supported."),
        ("file", "{}", "Output type file is not supported."),
    ],
)
async def test_what_does_not_fit_fails_in_words(kind: str, value: str, told: str) -> None:
    with pytest.raises(OutputValidationError) as refusal:
        await returned(f"def main():\n    return {{'out': {value}}}", {"out": kind})
    assert told in str(refusal.value)


async def test_the_outputs_are_exactly_the_declared_ones() -> None:
    with pytest.raises(OutputValidationError, match=r"^Output b is missing\.$"):
        await returned("def main():\n    return {'a': 'x'}", {"a": "string", "b": "string"})
    with pytest.raises(OutputValidationError, match=r"^Not all output parameters are validated\.$"):
        await returned("def main():\n    return {'a': 'x', 'b': 1}", {"a": "string"})


def test_declared_children_are_checked_and_limits_can_be_changed() -> None:
    declared = {"out": Output("object", {"name": Output("string"), "age": Output("number")})}
    assert Checker(CodeLimits()).outputs({"out": {"name": "Ann", "age": None}}, declared) == {
        "out": {"name": "Ann", "age": None}
    }
    with pytest.raises(OutputValidationError, match=r"^Output out\.age is missing\.$"):
        Checker(CodeLimits()).outputs({"out": {"name": "Ann"}}, declared)
    with pytest.raises(OutputValidationError, match="less than 2 characters"):
        Checker(CodeLimits(string=2)).outputs({"out": {"name": "Ann", "age": 1}}, declared)


@pytest.mark.parametrize(
    ("language", "code", "told"),
    [
        ("python3", "def main(a):\n    return 1 / 0", "Line 2: ZeroDivisionError: division by zero"),
        ("python3", "def main(a:", "SyntaxError"),
        ("python3", "def main():\n    return {}", "TypeError"),
        ("python3", "x = 1", "main"),
        ("python3", "def main(a):\n    return [1]", "main must return an object, not a list."),
        ("python3", "def main(a):\n    return {'a': {1}}", "set is not JSON serializable"),
        ("python3", "def main(a):\n    return {'out': float('nan')}", "NaN is no number."),
        ("javascript", "function main() { throw new Error('bad day') }", "Error: bad day"),
        ("javascript", "function main( {", "SyntaxError"),
        ("javascript", "x = 1", "main is not defined"),
        ("javascript", "function main() {}", "main must return an object, not nothing."),
        ("ruby", "", "The language ruby is not known. Known: python3, javascript."),
    ],
)
async def test_code_that_fails_tells_its_author_why(language: str, code: str, told: str) -> None:
    with pytest.raises(InvalidParam) as refusal:
        await returned(code, {"out": "string"}, language=language, a=1)
    assert told in str(refusal.value)
    assert language == "ruby" or isinstance(refusal.value, CodeExecutionError)


async def test_half_a_character_is_replaced() -> None:
    code = "function main() { return {out: {['a\\ud800']: 'b\\udc00\\u0000'}} }"
    assert await returned(code, {"out": "object"}, language="javascript") == {"out": {"a?": "b?"}}


async def test_a_promise_is_not_awaited() -> None:
    with pytest.raises(OutputValidationError, match="Output out is missing"):
        await returned("async function main() { return {out: 1} }", {"out": "number"}, language="javascript")


async def test_what_code_prints_is_dropped() -> None:
    assert await returned("def main():\n    print('x', end='')\n    return {'out': 1}", {"out": "number"}) == {"out": 1}
    code = "function main() { console.log('x'); return {out: 1} }"
    assert await returned(code, {"out": "number"}, language="javascript") == {"out": 1}


def test_a_code_node_may_be_tried_again() -> None:
    assert NODES.get("code").retries
