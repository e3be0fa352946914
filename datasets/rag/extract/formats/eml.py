"""E-mails: who wrote what to whom; attachments are named only."""

from __future__ import annotations

from email import errors, message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

from datasets.rag.extract import markup
from datasets.rag.extract.base import Document, Source, Unreadable, whole
from difyproj.kernel.decoding import decoded

_MOST_BYTES: Final = 64 * 1024**2
_SHOWN: Final = ("Subject", "From", "To", "Cc", "Date")


def extract(source: Source) -> Document:
    data = source.read(_MOST_BYTES)
    try:
        mail = message_from_bytes(data, policy=policy.default)
        heads = {name: str(mail[name]).strip() for name in _SHOWN if mail[name]}
        text = _body(mail)
        files = [name for part in mail.iter_attachments() if (name := part.get_filename())]
    except (errors.MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        # The library trips over headers and parts that are none.
        raise Unreadable("The e-mail is damaged.") from None
    if not heads and not text:
        raise Unreadable("The e-mail is empty, or is none.")
    told = [f"{name}: {value}" for name, value in heads.items()]
    told += [f"Attachments: {', '.join(files)}"] if files else []
    return whole("\n\n".join(filter(None, ("\n".join(told), text))), heads.get("Subject", ""))


def _body(mail: EmailMessage) -> str:
    """The plain text, or what the page says."""
    part = mail.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    text = decoded(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""
    if part.get_content_type() == "text/html":
        return markup.markdown(text)[0]
    return text.replace("\r\n", "\n").strip()
