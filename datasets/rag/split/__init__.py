"""From extracted pages to passages: ``split(clean(pages, rule), rule, form)``.

Both are lazy, so that a large document is never whole in memory.
"""

from .cleaning import clean
from .forms import split
from .piece import Piece
from .rule import AUTOMATIC_RULES, Rule, Segmentation

__all__ = ["AUTOMATIC_RULES", "Piece", "Rule", "Segmentation", "clean", "split"]
