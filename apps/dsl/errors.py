"""What is wrong with a DSL file."""

from __future__ import annotations

from difyproj.kernel.errors import InvalidParam


class DslError(InvalidParam):
    """The file cannot be taken. ``message`` says why, ``params`` is the path of the field where one is to blame."""
