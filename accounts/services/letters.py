"""What the house writes to people: one text per letter and language in ``templates/mail``, its first line the subject."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.template import Context, loader
from django.template.loader import render_to_string

from difyproj.infra import mail

ENGLISH: Final = "en-US"
CHINESE: Final = "zh-Hans"
LONGEST_FACT: Final = 80
# White space, controls and what cannot be seen; and what makes a mail program take words for an address.
_UNWANTED = re.compile(
    r"[\x00-\x20\x7f-\xa0\xad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]+"
    r"|://|www\.|(?<=\w)[.@\u3002\uff0e\uff61\uff20]+(?=\w)",
    re.IGNORECASE,
)
_QUOTES: Final = dict.fromkeys(map(ord, '"“”„‟«»'), "'")


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str


def write(name: str, *, language: str, **facts: Any) -> Letter:
    """The letter ``name`` in the reader's language; ``code`` and ``link`` among its facts stand out where HTML is read."""
    template: Any = loader.get_template(f"mail/{language_of(language)}/{name}.txt")
    subject, _, text = template.template.render(Context(facts, autoescape=False)).strip().partition("\n")
    text = re.sub(r"\n{3,}", "\n\n", text.strip())
    html = render_to_string("mail/letter.html", {**facts, "subject": subject, "paragraphs": text.split("\n\n")})
    return Letter(subject, f"{text}\n", f"{html.strip()}\n")


def post(letter: Letter, *, to: str, tenant_id: UUID | None = None) -> None:
    mail.send(to, letter.subject, letter.text, letter.html, tenant_id=tenant_id)


def language_of(asked: str | None) -> str:
    """The language that letters have for the one that was asked for."""
    return CHINESE if (asked or "").lower().startswith("zh") else ENGLISH


def plain(name: str) -> str:
    """Somebody's own words (a name, a workspace's name) as they may stand in a letter to a stranger: short, in quotation
    marks that they cannot close, and nothing that becomes a link.
    """
    words = _UNWANTED.sub(" ", name.translate(_QUOTES)).strip()[:LONGEST_FACT]
    return f"“{words}”" if words else ""
