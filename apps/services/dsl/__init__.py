"""Apps as DSL files: taken out, taken in, and what of a file is missing here."""

from apps.dsl.versions import CURRENT as VERSION

from .arrivals import Checked, check_from, take_from
from .checks import check, leaked_dependencies
from .confirming import confirm
from .exports import document_of, export
from .imports import Looks, Result, Status, copy, take
from .pending import forget_expired
from .sources import CONTENT, URL, Source

__all__ = [
    "CONTENT",
    "URL",
    "VERSION",
    "Checked",
    "Looks",
    "Result",
    "Source",
    "Status",
    "check",
    "check_from",
    "confirm",
    "copy",
    "document_of",
    "export",
    "forget_expired",
    "leaked_dependencies",
    "take",
    "take_from",
]
