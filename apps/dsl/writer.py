"""JSON-like values to the YAML of a DSL file: the same values always give the same bytes, in the style of Dify's exports."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

# Line breaks to YAML, and read back as another one unless they are written as escapes.
_OTHER_BREAKS: Final = re.compile("[\r\x85\u2028\u2029]")


class _Dumper(yaml.SafeDumper):
    """The one in Python: the one in C writes emojis as escapes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if _OTHER_BREAKS.search(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def write(document: dict[str, Any]) -> str:
    """Keys are sorted: rows do not keep the order in which they were written."""
    return str(yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=True))
