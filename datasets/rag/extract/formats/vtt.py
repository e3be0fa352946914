"""Subtitles: what is said, by whom, without times."""

from __future__ import annotations

import html
import re
from typing import Final

from datasets.rag.extract.base import Document, Source, whole
from datasets.rag.extract.plain import text_of

_MOST_BYTES: Final = 32 * 1024**2
_TIMES: Final = re.compile(r"(?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{3}[ \t]{1,9}-->")
_VOICE: Final = re.compile(r"<v(?:\.[^ >]{0,100})?\s+([^>]{1,200})>")
_TAG: Final = re.compile(r"<[^>]{0,200}>")
_NOT_CUES: Final = ("NOTE", "STYLE", "REGION", "WEBVTT")


def extract(source: Source) -> Document:
    """Cues of one speaker that follow each other are one paragraph."""
    told: list[tuple[str, list[str]]] = []
    for block in re.split(r"\n[ \t]*\n", text_of(source.read(_MOST_BYTES)).lstrip("\ufeff")):
        speaker, text = _cue(block)
        if not text:
            continue
        if told and speaker and told[-1][0] == speaker:
            told[-1][1].append(text)
        else:
            told.append((speaker, [text]))
    lines = [f"{speaker}: {' '.join(texts)}" if speaker else " ".join(texts) for speaker, texts in told]
    return whole("\n".join(lines))


def _cue(block: str) -> tuple[str, str]:
    """Speaker and text; both empty for what is no cue."""
    lines = block.strip().split("\n")
    at = next((at for at, line in enumerate(lines) if _TIMES.match(line.strip())), None)
    if at is None or lines[0].startswith(_NOT_CUES[:3]):
        return "", ""
    text = " ".join(lines[at + 1 :])
    voice = _VOICE.search(text)
    return (html.unescape(voice[1]).strip() if voice else ""), html.unescape(_TAG.sub("", text)).strip()
