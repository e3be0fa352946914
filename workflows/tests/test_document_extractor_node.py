"""document-extractor nodes: one text for one file, a list of texts for a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from difyproj.kernel.errors import AppUnavailable, InvalidParam
from difyproj.testing.fakes import scripted
from workflows.engine.node import Done, NodeContext
from workflows.engine.pool import VariablePool
from workflows.engine.state import RunState
from workflows.nodes.document_extractor import DocumentExtractorNode

from .nodes import done, file

POOL = {
    "n": {"one": file(), "many": [file(), file(filename="b.txt")], "none": None, "empty": [], "word": "x", "mix": [file(), 1]}
}


class Documents:
    async def text(self, file: Mapping[str, Any]) -> str:
        return f"text of {file['filename']}"


async def extracted(name: str, **data: Any) -> Done:
    raw = {"variable_selector": ["n", name], **data}
    parsed = msgspec.convert(raw, DocumentExtractorNode.schema)
    ctx = NodeContext("d", parsed, VariablePool(POOL), replace(scripted(), documents=Documents()), RunState())
    (end,) = [output async for output in DocumentExtractorNode().run(ctx)]
    assert isinstance(end, Done)
    return end


@pytest.mark.parametrize(
    ("name", "is_array", "text"),
    [
        ("one", False, "text of a.txt"),
        ("one", True, "text of a.txt"),
        ("many", True, ["text of a.txt", "text of b.txt"]),
        ("many", False, ["text of a.txt", "text of b.txt"]),
        ("empty", False, []),
        ("none", True, []),
        ("none", False, ""),
    ],
)
async def test_the_value_decides_what_comes_out(name: str, is_array: bool, text: Any) -> None:
    end = await extracted(name, is_array_file=is_array)
    assert end.outputs == {"text": text}
    assert end.inputs == {"variable_selector": ["n", name]}


@pytest.mark.parametrize("name", ["word", "mix", "gone"])
async def test_what_is_no_file_fails_the_node(name: str) -> None:
    with pytest.raises(InvalidParam, match=rf"n\.{name}") as refusal:
        await extracted(name)
    assert refusal.value.params == "variable_selector"


async def test_a_run_without_documents_says_so() -> None:
    with pytest.raises(AppUnavailable, match="Documents"):
        await done("document-extractor", {"variable_selector": ["n", "one"]}, VariablePool(POOL))
