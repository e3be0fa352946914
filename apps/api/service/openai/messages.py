"""A caller's list of messages, read as a question, the turns before it, and instructions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from apps.generation import HistoryTurn
from difyproj.kernel.errors import InvalidParam

from .base import Unsupported

IMAGE_TYPES: Final = {"image/png": "png", "image/jpeg": "jpg", "image/jpg": "jpg", "image/webp": "webp", "image/gif": "gif"}
INSTRUCTING: Final = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Image:
    """An image by its address, or its bytes."""

    url: str = ""
    data: bytes = field(default=b"", repr=False)
    mime_type: str = ""

    @property
    def name(self) -> str:
        return f"image.{IMAGE_TYPES[self.mime_type]}"


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a user's or an assistant's."""

    role: str
    text: str
    images: Sequence[Image] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """``query`` is the last message alone, ``whole_query`` all of the user's behind the last answer. Images go oldest first."""

    query: str
    whole_query: str
    images: Sequence[Image]
    instructions: str
    history: Sequence[HistoryTurn]
    earlier_images: Sequence[Image]


def read(messages: Sequence[Mapping[str, Any]]) -> Asked:
    """Raises InvalidParam, or Unsupported for tools and media, naming the message."""
    instructions: list[str] = []
    talk: list[Said] = []
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        role = message.get("role")
        if role in INSTRUCTING:
            instructions.append(_content(message, place).text)
        elif role in ("user", "assistant"):
            talk.append(_content(message, place))
        elif role in ("tool", "function"):
            raise Unsupported("Tools are not supported: there are no tool messages.", params=f"{place}.role")
        else:
            raise InvalidParam("role must be system, developer, user or assistant.", params=f"{place}.role")
    if not talk or talk[-1].role != "user":
        raise InvalidParam("The last message must be the user's: it is the question.", params="messages")
    before = list(talk)
    last: list[Said] = []
    while before and before[-1].role == "user":
        last.insert(0, before.pop())
    return Asked(
        query=talk[-1].text,
        whole_query=_joined(one.text for one in last),
        images=talk[-1].images,
        instructions=_joined(instructions),
        history=_turns(before),
        earlier_images=[image for one in talk[:-1] for image in one.images],
    )


def _turns(talk: Sequence[Said]) -> list[HistoryTurn]:
    """Messages of one side that follow one another are one message of that side."""
    turns: list[HistoryTurn] = []
    asked: list[str] = []
    for one in talk:
        if one.role == "user":
            asked.append(one.text)
        elif turns and not asked:
            turns[-1] = HistoryTurn(turns[-1].query, _joined((turns[-1].answer, one.text)))
        else:
            turns.append(HistoryTurn(_joined(asked), one.text))
            asked = []
    return turns


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text.strip())


def _content(message: Mapping[str, Any], place: str) -> Said:
    role, content = str(message["role"]), message.get("content")
    if message.get("tool_calls") or message.get("function_call"):
        raise Unsupported("Tools are not supported: there are no tool calls.", params=f"{place}.tool_calls")
    if isinstance(content, str):
        return Said(role, _clean(content))
    if content is None and role == "assistant":
        return Said(role, "")
    if not isinstance(content, list):
        raise InvalidParam("content must be a text or a list of parts.", params=f"{place}.content")
    texts: list[str] = []
    images: list[Image] = []
    for number, part in enumerate(content):
        where = f"{place}.content[{number}]"
        found = _part(part, role, where)
        if isinstance(found, Image):
            images.append(found)
        else:
            texts.append(found)
    return Said(role, "\n".join(texts), images)


def _part(part: Any, role: str, place: str) -> str | Image:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in ("text", "refusal"):
        text = part.get(kind)
        if not isinstance(text, str):
            raise InvalidParam(f"{kind} must be a text.", params=f"{place}.{kind}")
        return _clean(text)
    if kind == "image_url" and role == "user":
        given = part.get("image_url")
        url = given.get("url") if isinstance(given, Mapping) else given
        return _image(url, f"{place}.image_url")
    if isinstance(kind, str) and kind:
        raise Unsupported(
            f"Parts of the type {kind[:64]} are not supported in messages of the role {role}.", params=f"{place}.type"
        )
    raise InvalidParam("A part is an object with a type.", params=place)


def _image(url: Any, place: str) -> Image:
    if not isinstance(url, str):
        raise InvalidParam("image_url must be an object with a url.", params=place)
    if url.startswith(("http://", "https://")):
        return Image(url=_clean(url))
    head, _, body = url.partition(",")
    mime_type, *options = head.removeprefix("data:").lower().split(";")
    if not head.startswith("data:") or "base64" not in options or mime_type not in IMAGE_TYPES:
        known = ", ".join(sorted(IMAGE_TYPES))
        raise InvalidParam(
            f"An image is an http or https address, or a base64 data URL of one of these: {known}.", params=place
        )
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidParam("The data URL is no valid base64.", params=place) from error
    if not data:
        raise InvalidParam("The image is empty.", params=place)
    return Image(data=data, mime_type=mime_type)


def _clean(text: str) -> str:
    """No database keeps NUL characters, and no model needs them."""
    return text.replace("\0", "")
