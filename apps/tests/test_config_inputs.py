"""Inputs follow the form's rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.config import check_inputs, parse
from difyproj.kernel.errors import InvalidParam

LOCAL = {"type": "image", "transfer_method": "local_file", "upload_file_id": "f"}
REMOTE = {"type": "image", "transfer_method": "remote_url", "url": "http://f/x.png"}


def check(control: str, value: Any, *, sent: bool = True, **field: Any) -> Any:
    config = parse({"user_input_form": [{control: {"variable": "v", "label": "V", **field}}]})
    return check_inputs(config, {"v": value} if sent else {})["v"]


@pytest.mark.parametrize(
    ("control", "field", "sent", "kept"),
    [
        ("text-input", {"max_length": 3}, "abc", "abc"),
        ("text-input", {}, "a\x00b", "ab"),
        ("paragraph", {}, "", ""),
        ("select", {"options": ["a", "b"]}, "b", "b"),
        ("select", {"options": ["a"]}, "", ""),
        ("number", {}, 3, 3),
        ("number", {}, 2.5, 2.5),
        ("number", {}, "4", 4),
        ("number", {}, " 1.5 ", 1.5),
        ("number", {}, "", None),
        ("checkbox", {}, True, True),
        ("checkbox", {}, 0, False),
        ("checkbox", {}, "on", True),
        ("checkbox", {}, "YES", True),
        ("checkbox", {}, "1", True),
        ("checkbox", {}, "false", False),
        ("file", {}, LOCAL, LOCAL),
        ("file", {}, REMOTE, REMOTE),
        ("file", {}, {}, None),
        ("file-list", {}, [LOCAL, REMOTE], [LOCAL, REMOTE]),
        ("json_object", {}, '{"a": 1}', {"a": 1}),
        ("json_object", {}, {"a": "\x00b"}, {"a": "b"}),
        ("external_data_tool", {}, "anything", "anything"),
    ],
)
def test_good_values_are_kept_in_their_type(control: str, field: dict[str, Any], sent: Any, kept: Any) -> None:
    assert check(control, sent, **field) == kept


@pytest.mark.parametrize(
    ("control", "field", "sent"),
    [
        ("text-input", {}, 3),
        ("text-input", {"max_length": 3}, "abcd"),
        ("paragraph", {"max_length": 1}, "ab"),
        ("paragraph", {}, ["a"]),
        ("select", {"options": ["a"]}, "b"),
        ("select", {"options": ["a"]}, 1),
        ("select", {"options": ["a"], "required": True}, ""),
        ("number", {}, "four"),
        ("number", {}, "nan"),
        ("number", {}, "1e999"),
        ("number", {}, []),
        ("checkbox", {}, "perhaps"),
        ("checkbox", {}, {}),
        ("file", {}, "f"),
        ("file", {}, {"type": "image"}),
        ("file", {}, {"type": "image", "transfer_method": "remote_url"}),
        ("file", {}, {"type": "image", "transfer_method": "pigeon", "url": "x"}),
        ("file", {"required": True}, {}),
        ("file", {"allowed_file_types": ["document"]}, LOCAL),
        ("file-list", {}, LOCAL),
        ("file-list", {"max_length": 1}, [LOCAL, LOCAL]),
        ("file-list", {}, ["x"]),
        ("json_object", {}, "[1]"),
        ("json_object", {}, "{"),
    ],
)
def test_wrong_values_are_refused_by_name(control: str, field: dict[str, Any], sent: Any) -> None:
    with pytest.raises(InvalidParam) as refusal:
        check(control, sent, **field)
    assert refusal.value.params == "v"
    assert str(refusal.value).startswith("v must ")


def test_a_required_variable_must_be_there() -> None:
    with pytest.raises(InvalidParam, match="v is required") as refusal:
        check("text-input", None, sent=False, required=True, default="x")
    assert refusal.value.params == "v"


def test_defaults_fill_what_is_absent_and_are_converted() -> None:
    assert check("text-input", None, sent=False, default="x") == "x"
    assert check("number", None, default="7") == 7
    assert check("select", None, sent=False, options=["a"]) is None


def test_unknown_keys_are_dropped() -> None:
    assert check_inputs(parse({}), {"other": 1}) == {}


@pytest.mark.parametrize("inputs", [None, [], "x", 3])
def test_inputs_must_be_an_object(inputs: Any) -> None:
    with pytest.raises(InvalidParam) as refusal:
        check_inputs(parse({}), inputs)
    assert refusal.value.params == "inputs"


_JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
)
_CONTROLS = ["text-input", "paragraph", "select", "number", "checkbox", "file", "file-list", "json_object"]


@given(some.sampled_from(_CONTROLS), some.booleans(), _JSON)
def test_any_json_is_kept_or_refused_and_nothing_else(control: str, required: bool, value: Any) -> None:
    try:
        kept = check(control, value, required=required, options=["a"], max_length=5)
    except InvalidParam as refusal:
        assert refusal.params == "v"
    else:
        assert "\x00" not in str(kept)
