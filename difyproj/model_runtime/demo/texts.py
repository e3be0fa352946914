"""The demo model's phrases, read from texts.yaml when it first speaks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("texts.yaml")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def is_wide(text: str) -> bool:
    """Whether the text has Chinese, Japanese or Korean characters."""
    return _WIDE.search(text) is not None


def said(query: str) -> Mapping[str, str]:
    """The phrases in the script of the query."""
    phrases: Mapping[str, str] = _all()["wide" if is_wide(query) else "latin"]
    return phrases


def questions(subject: str) -> Sequence[str]:
    templates: Sequence[str] = _all()["wide" if is_wide(subject) else "latin"]["questions"]
    return templates


def asked(kind: str) -> str:
    """The pattern of words by which a prompt asks for an ``array``, an ``object`` or a ``title``."""
    pattern: str = _all()["asks"][kind]
    return pattern


@cache
def filler() -> frozenset[str]:
    return frozenset(_all()["filler"].split())


@cache
def _all() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.load(_FILE.read_text("utf-8"), Loader=yaml.CSafeLoader)
    return parsed
