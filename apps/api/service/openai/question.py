"""From a checked body to what the door takes: a question, its history, its images, the caller's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile

from apps.config import AppConfig
from apps.generation import FileInput, GenerateRequest
from apps.models import App, UploadFile
from apps.services import apps, files
from difyproj.infra import db
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.principal import Principal
from difyproj.tiers.base import CHAT_MODES

from .messages import IMAGE_TYPES, Asked, Image, read
from .options import parameters, refuse_unsupported

CONVERSATION = "X-Conversation-Id"
QUERY = "query"


@dataclass(frozen=True, slots=True)
class Question:
    """``request`` is complete but for its files: the ``images``, of which those that came as bytes are not kept yet."""

    request: GenerateRequest
    images: Sequence[Image]


def question(app: App, fields: Mapping[str, Any], *, conversation_id: str, trace: str) -> Question:
    """``conversation_id`` names a kept conversation: its own history counts, the caller's list only for its last message.

    Raises InvalidParam and Unsupported.
    """
    refuse_unsupported(fields)
    asked = read(fields["messages"])
    config = apps.configuration(app)
    if conversation_id:
        _check_kept(app, fields)
    query, inputs = asked.query if conversation_id else asked.whole_query, dict(fields.get("inputs") or {})
    if app.mode not in CHAT_MODES and any(field.variable == QUERY for field in config.user_input_form):
        query, inputs = "", {**inputs, QUERY: query}
    request = GenerateRequest(
        query=query,
        inputs=inputs,
        conversation_id=conversation_id,
        auto_generate_name=False,
        trace_id=trace,
        streaming=bool(fields.get("stream")),
        instructions=asked.instructions,
        history=None if conversation_id else asked.history,
        parameters=parameters(fields),
    )
    return Question(request, _images(asked, config, only_last=bool(conversation_id)))


def _check_kept(app: App, fields: Mapping[str, Any]) -> None:
    if app.mode not in CHAT_MODES:
        raise InvalidParam("The app answers each request by itself: it keeps no conversations.", params=CONVERSATION)
    if not fields.get("user"):
        raise InvalidParam(f"{CONVERSATION} needs the user whose conversation it is.", params="user")


def _images(asked: Asked, config: AppConfig, *, only_last: bool) -> Sequence[Image]:
    """The question's images and, as clients send them with every question, the newest of earlier ones that still fit."""
    rules = config.file_upload
    if not rules.takes_files:
        if asked.images:
            raise InvalidParam("This app takes no images.", params="messages")
        return ()
    if len(asked.images) > rules.most:
        raise InvalidParam(f"At most {rules.most} images are allowed.", params="messages")
    room = 0 if only_last else rules.most - len(asked.images)
    return [*(asked.earlier_images[-room:] if room > 0 else ()), *asked.images]


async def file_inputs(principal: Principal, images: Sequence[Image]) -> list[FileInput]:
    """The images as files of the request; those that came as bytes become uploads of the person who asks.

    Raises the upload errors, and InvalidParam for bytes that are no image, before any is kept.
    """
    planned = await db.run(_planned, principal, images)
    found = []
    for image, upload in zip(images, planned, strict=True):
        if upload is None:
            found.append(FileInput("image", "remote_url", image.url))
        else:
            row = await files.keep(*upload)
            found.append(FileInput("image", "local_file", upload_file_id=str(row.pk)))
    return found


def _planned(principal: Principal, images: Sequence[Image]) -> list[tuple[UploadFile, UploadedFile] | None]:
    """A row and its file for each image that came as bytes, None for the others."""
    planned: list[tuple[UploadFile, UploadedFile] | None] = []
    for image in images:
        if not image.data:
            planned.append(None)
            continue
        file = SimpleUploadedFile(image.name, image.data, image.mime_type)
        row = files.plan(owner=principal, file=file)
        if row.mime_type not in IMAGE_TYPES:
            raise InvalidParam("The bytes of an image are no PNG, JPEG, WebP or GIF.", params="messages")
        planned.append((row, file))
    return planned
