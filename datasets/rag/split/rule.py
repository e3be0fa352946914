"""The process rule of Dify's contract, parsed: how a document is cleaned and how long its passages are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from difyproj.kernel.errors import InvalidParam

Mode = Literal["automatic", "custom", "hierarchical"]
ParentMode = Literal["paragraph", "full-doc"]

MODES: Final = ("automatic", "custom", "hierarchical")
PARENT_MODES: Final = ("paragraph", "full-doc")
CLEANERS: Final = ("remove_extra_spaces", "remove_urls_emails", "remove_stopwords")
LEAST_TOKENS, MOST_TOKENS = 1, 4000
LONGEST_SEPARATOR: Final = 100
AUTOMATIC_RULES: Final[Mapping[str, Any]] = {
    "pre_processing_rules": [{"id": "remove_extra_spaces", "enabled": True}, {"id": "remove_urls_emails", "enabled": False}],
    "segmentation": {"separator": "\n", "max_tokens": 500, "chunk_overlap": 50},
}
"""What ``automatic`` stands for, as the contract writes it."""

_ESCAPES: Final = {"\\n": "\n", "\\t": "\t", "\\r": "\r"}


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Lengths in tokens. An empty ``separator`` parts nothing: the text is parted where it reads best."""

    separator: str = ""
    max_tokens: int = 500
    chunk_overlap: int = 0


AUTOMATIC: Final = Segmentation("", 500, 50)
PARENTS: Final = Segmentation("", 1024, 0)
CHILDREN: Final = Segmentation("", 200, 0)


@dataclass(frozen=True, slots=True)
class Rule:
    """``children`` are the parts of a passage that are looked for in its place (hierarchical)."""

    mode: Mode = "automatic"
    cleaners: frozenset[str] = frozenset({"remove_extra_spaces"})
    segmentation: Segmentation = AUTOMATIC
    parent_mode: ParentMode = "paragraph"
    children: Segmentation = CHILDREN

    @classmethod
    def parse(cls, given: Mapping[str, Any] | None, *, name: str = "process_rule") -> Rule:
        """``{mode, rules}``; None is automatic. Raises InvalidParam whose ``params`` names the field."""
        given = {"mode": "automatic"} if given is None else _mapping(given, name)
        mode = _one_of(given.get("mode"), MODES, f"{name}.mode")
        if mode == "automatic":
            return cls()
        rules = _mapping(given.get("rules"), f"{name}.rules")
        parent_mode = _one_of(rules.get("parent_mode") or "paragraph", PARENT_MODES, f"{name}.rules.parent_mode")
        is_parted = mode == "custom" or parent_mode == "paragraph"
        parts, children = rules.get("segmentation"), rules.get("subchunk_segmentation")
        return cls(
            mode=mode,  # type: ignore[arg-type]
            cleaners=_cleaners(rules.get("pre_processing_rules"), f"{name}.rules.pre_processing_rules"),
            segmentation=_segmentation(parts, f"{name}.rules.segmentation") if is_parted else PARENTS,
            parent_mode=parent_mode,  # type: ignore[arg-type]
            children=_segmentation(children, f"{name}.rules.subchunk_segmentation") if children is not None else CHILDREN,
        )


def _segmentation(given: Any, name: str) -> Segmentation:
    given = _mapping(given, name)
    separator = given.get("separator", given.get("delimiter"))
    separator = "\n" if separator is None else separator
    if not isinstance(separator, str) or len(separator) > LONGEST_SEPARATOR:
        raise InvalidParam(f"A separator is a text of at most {LONGEST_SEPARATOR} characters.", params=f"{name}.separator")
    for written, meant in _ESCAPES.items():
        separator = separator.replace(written, meant)
    most = _whole_number(given.get("max_tokens"), f"{name}.max_tokens", LEAST_TOKENS, MOST_TOKENS)
    overlap = _whole_number(given.get("chunk_overlap") or 0, f"{name}.chunk_overlap", 0, most)
    return Segmentation(separator, most, overlap)


def _cleaners(given: Any, name: str) -> frozenset[str]:
    if given is None:
        return frozenset()
    if not isinstance(given, list | tuple):
        raise InvalidParam("The cleaning rules are a list.", params=name)
    chosen = set()
    for at, row in enumerate(given):
        row = _mapping(row, f"{name}[{at}]")
        rule = _one_of(row.get("id"), CLEANERS, f"{name}[{at}].id")
        enabled = row.get("enabled", False)
        if not isinstance(enabled, bool):
            raise InvalidParam("A cleaning rule is enabled or not: true or false.", params=f"{name}[{at}].enabled")
        if enabled:
            chosen.add(rule)
    return frozenset(chosen)


def _mapping(given: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidParam(f"{name} is missing, or is no object.", params=name)
    return given


def _one_of(given: Any, known: tuple[str, ...], name: str) -> str:
    if not isinstance(given, str) or given not in known:
        raise InvalidParam(f"{name} is one of {', '.join(known)}.", params=name)
    return given


def _whole_number(given: Any, name: str, least: int, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise InvalidParam(f"{name} is a whole number from {least} to {most}.", params=name)
    return given
