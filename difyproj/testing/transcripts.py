"""Golden transcripts: whole answers kept as text files, with ids and times replaced in the order in which they occur.

``UPDATE_TRANSCRIPTS=1`` writes the files instead of comparing; the diff is then read by a person.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

UPDATE = "UPDATE_TRANSCRIPTS"

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
_MEASURED = re.compile(r'("(?:latency|time_to_first_token|time_to_generate|elapsed_time|execution_time)"):\s?[0-9.e-]+')
_ROUNDS = re.compile(r'("(?:iteration|loop)_duration_map"):\{[^}]*\}')
_MOMENT = re.compile(r'("(?:created|created_at|updated_at|finished_at|expiration_time|sys.timestamp)"):\s?[0-9]{10}\b')
_FINGERPRINT = re.compile(r"\bfp_[0-9a-f]{10}\b")
_SIGNED = re.compile(r"timestamp=[0-9]+&nonce=[0-9a-f]+&sign=[\w-]+")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[0-9]+")


class Transcript:
    """Text of one scene. ``note`` writes a line of the director's, ``add`` what was heard."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def note(self, line: str) -> None:
        self._parts.append(f"# {line}\n")

    def add(self, heard: str | bytes) -> None:
        text = heard.decode() if isinstance(heard, bytes) else heard
        self._parts.append(text if text.endswith("\n") else f"{text}\n")

    def text(self) -> str:
        return normalised("".join(self._parts))

    def check(self, path: Path) -> None:
        """Compare with the file, or write it when ``UPDATE_TRANSCRIPTS`` is set. Raises AssertionError."""
        told = self.text()
        if os.environ.get(UPDATE):
            path.parent.mkdir(exist_ok=True)
            path.write_text(told, encoding="utf-8")
        assert path.exists(), f"There is no transcript {path.name}; set {UPDATE}=1 to write it."
        assert told == path.read_text(encoding="utf-8")


def normalised(text: str) -> str:
    """``text`` with every UUID as ``<id 1>``, ``<id 2>`` ..., and times, durations, addresses and signatures replaced."""
    seen: dict[str, str] = {}

    def name(match: re.Match[str]) -> str:
        return seen.setdefault(match.group(), f"<id {len(seen) + 1}>")

    text = _UUID.sub(name, text)
    text = _MEASURED.sub(r"\1:<seconds>", text)
    text = _ROUNDS.sub(r"\1:<seconds>", text)
    text = _MOMENT.sub(r"\1:<moment>", text)
    text = _FINGERPRINT.sub("<fingerprint>", text)
    text = _SIGNED.sub("<signature>", text)
    return _ADDRESS.sub("http://<host>", text)
