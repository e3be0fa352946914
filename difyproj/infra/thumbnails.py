"""Small pictures of images and PDFs, drawn by a confined process (``thumbnail_process``)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

MIME_TYPE, EXTENSION = "image/webp", "webp"
SECONDS: Final = 60
PIECE: Final = 1024 * 1024
_SCRIPT: Final = Path(__file__).with_name("thumbnail_process.py")


class NoThumbnail(Exception):
    """The file cannot be drawn: damaged, hostile, locked, or too large."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """``text`` is how a document begins."""

    picture: bytes
    text: str


def draw(file: IO[bytes], kind: str) -> Thumbnail:
    """The picture of an ``image`` or a ``pdf``. Raises NoThumbnail. Blocks for up to a minute."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made:
        while piece := file.read(PIECE):
            given.write(piece)
        given.seek(0)
        _run(kind, given, made)
        made.seek(0)
        text, _, picture = made.read().partition(b"\n")
    try:
        return Thumbnail(picture, _readable(json.loads(text)))
    except ValueError as error:
        raise NoThumbnail("The process that draws was cut off.") from error


def _run(kind: str, given: IO[bytes], made: IO[bytes]) -> None:
    command = [sys.executable, "-I", str(_SCRIPT), kind]
    try:
        # It sees no variable of ours: secrets stand there.
        done = subprocess.run(  # noqa: S603  our own script; nothing of the file is in the command
            command, stdin=given, stdout=made, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False, env={}, cwd="/"
        )
    except subprocess.TimeoutExpired as error:
        raise NoThumbnail("Drawing took too long.") from error
    if done.returncode:
        raise NoThumbnail(f"The process that draws ended with {done.returncode}.")


def _readable(text: str) -> str:
    return "".join(one for one in text if one.isprintable() or one in "\n\t")
