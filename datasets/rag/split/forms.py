"""The forms of documents: one row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from datasets.rag.extract.base import Page
from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime.tokens import estimate

from . import general, parent_child, qa
from .piece import Counter, Piece
from .rule import Rule

GENERAL, HIERARCHICAL, QA = "text_model", "hierarchical_model", "qa_model"
FORMS: Final = {GENERAL: general.pieces, HIERARCHICAL: parent_child.pieces}


def split(
    pages: Iterable[Page], rule: Rule, form: str = GENERAL, *, count: Counter = estimate, ask: qa.Ask | None = None
) -> Iterator[Piece]:
    """Passages of cleaned pages, in order. ``ask`` makes questions of a passage where the document of a ``qa_model`` has none.

    Raises InvalidParam for a form that there is not, and with the passages what the form raises.
    """
    if form == QA:
        return qa.pieces(pages, rule, count, ask)
    if form not in FORMS:
        raise InvalidParam(f"doc_form is one of {', '.join((*FORMS, QA))}.", params="doc_form")
    return FORMS[form](pages, rule, count)
