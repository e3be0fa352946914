"""Letters that were sent in tests: the jobs that send them are run, and what came is read."""

from __future__ import annotations

import re

from django.core import mail
from django.core.mail import EmailMultiAlternatives

from difyproj.infra import jobs

CODE = re.compile(r"^(\d{6})$", re.MULTILINE)
LINK = re.compile(r"^(http\S+)$", re.MULTILINE)


def letters_to(address: str) -> list[EmailMultiAlternatives]:
    """Every letter to the address, oldest first; those that wait are sent first."""
    jobs.run_waiting()
    outbox: list[EmailMultiAlternatives] = mail.outbox  # type: ignore[assignment]
    return [letter for letter in outbox if letter.to == [address]]


def code_for(address: str) -> str:
    """The code in the last letter to the address."""
    return _found(CODE, address)


def link_for(address: str) -> str:
    """The link in the last letter to the address."""
    return _found(LINK, address)


def _found(pattern: re.Pattern[str], address: str) -> str:
    found = pattern.search(str(letters_to(address)[-1].body))
    assert found, f"nothing of the kind in the last letter to {address}"
    return found[1]
