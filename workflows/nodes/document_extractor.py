"""document-extractor: the text of a document, or of each of a list."""

from __future__ import annotations

import msgspec

from difyproj.kernel.errors import InvalidParam
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import MISSING
from workflows.engine.values import files_of, is_file, is_list


class DocumentExtractorData(msgspec.Struct, frozen=True):
    """``is_array_file`` is what the editor saw; a run goes by the value."""

    variable_selector: tuple[str, ...] | None = ()
    is_array_file: bool | None = False


class DocumentExtractorNode(Node[DocumentExtractorData]):
    schema = DocumentExtractorData

    async def run(self, ctx: NodeContext[DocumentExtractorData]) -> NodeStream:
        """A single file gives a text, a list a list of texts. Where there is no file the text is empty."""
        selector = ctx.data.variable_selector or ()
        value = ctx.pool.get(selector, MISSING)
        if value is MISSING:
            raise InvalidParam(f"Variable {'.'.join(selector)} not found.", params="variable_selector")
        files = files_of(value)
        if value and len(files) != (len(value) if is_list(value) else 1):
            raise InvalidParam(f"Variable {'.'.join(selector)} is no file and no list of files.", params="variable_selector")
        texts = [await ctx.ports.documents.text(file) for file in files]
        is_many = not is_file(value) and (is_list(value) or bool(ctx.data.is_array_file))
        yield Done(
            outputs={"text": texts if is_many else "".join(texts)},
            inputs={"variable_selector": list(selector)},
            process_data={"documents": [dict(file) for file in files]},
        )
