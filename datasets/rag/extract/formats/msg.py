"""E-mails as Outlook keeps them: who wrote what to whom; attachments are named only."""

from __future__ import annotations

import re
from typing import Final

from datasets.rag.extract import markup
from datasets.rag.extract.base import Document, Source, Unreadable, whole
from datasets.rag.extract.compound import Compound
from difyproj.kernel.decoding import decoded

_STREAM: Final = "__substg1.0_"
_SHOWN: Final = {"Subject": "0037", "From": "0C1A", "To": "0E04", "Cc": "0E03"}
_BODY, _HTML = "1000", "1013"
_FILE: Final = re.compile(r"__attach_version1\.0_#[0-9A-Fa-f]{8}/__substg1\.0_3707(001F|001E)")
_UNICODE, _BYTES, _BINARY = "001F", "001E", "0102"


def extract(source: Source) -> Document:
    given = Compound(source.file, source.size)
    heads = {name: text for name, number in _SHOWN.items() if (text := _text(given, f"{_STREAM}{number}").strip())}
    text = _text(given, f"{_STREAM}{_BODY}").replace("\r\n", "\n").strip()
    if not text:
        html = given.read(f"{_STREAM}{_HTML}{_BINARY}") or given.read(f"{_STREAM}{_HTML}{_BYTES}")
        text = markup.markdown(decoded(html))[0] if html else ""
    if not heads and not text:
        raise Unreadable("The e-mail is empty, or is none.")
    files = sorted({_text(given, path.removesuffix(found[1])) for path in given.streams if (found := _FILE.fullmatch(path))})
    told = [f"{name}: {value}" for name, value in heads.items()]
    told += [f"Attachments: {', '.join(files)}"] if files else []
    return whole("\n\n".join(filter(None, ("\n".join(told), text))), heads.get("Subject", ""))


def _text(given: Compound, path: str) -> str:
    if wide := given.read(f"{path}{_UNICODE}"):
        return wide.decode("utf-16-le", "replace").rstrip("\0")
    return decoded(given.read(f"{path}{_BYTES}")).rstrip("\0")
