"""From a checked body to what the door takes: the same for every tier and for sockets."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.request import Request

from apps.generation import DRAFT, PUBLISHED, FileInput, GenerateRequest
from apps.models import Message
from apps.services import messages
from difyproj.kernel.errors import BadRequest
from difyproj.tiers.given_files import inputs_of

TRACE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
# A second answer shall be another one.
BOLD = {"temperature": 0.9}


def trace_id(request: Request, given: object) -> str:
    """The caller's trace id: header, query, body, then the W3C header; anything malformed is ignored."""
    parent = TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    candidates = (request.headers.get("X-Trace-Id"), request.query_params.get("trace_id"), given, parent and parent.group(1))
    return next(filter(None, map(accepted_trace_id, candidates)), "")


def accepted_trace_id(given: object) -> str:
    return given if isinstance(given, str) and TRACE_ID.fullmatch(given) else ""


def published(given: str | None) -> str:
    """The version of a graph that a caller of a published tier names: an id, or nothing. Raises BadRequest for the draft."""
    if given == DRAFT:
        raise BadRequest("A draft runs in the console only.")
    return given or PUBLISHED


def generate_request(fields: dict[str, Any], trace: str, *, streaming: bool, target: str = PUBLISHED) -> GenerateRequest:
    """The body as the door takes it. ``streaming`` says whether the answer is followed while it is made."""
    return GenerateRequest(
        query=fields.get("query") or "",
        inputs=fields["inputs"],
        files=inputs_of(fields.get("files")),
        conversation_id=fields.get("conversation_id") or "",
        parent_message_id=fields.get("parent_message_id") or "",
        auto_generate_name=fields.get("auto_generate_name", True),
        trace_id=trace,
        stage_events=fields["stage_events"],
        streaming=streaming,
        target=target,
        callback_url=fields.get("callback_url") or "",
    )


def asked_again(message: Message, trace: str, *, streaming: bool) -> GenerateRequest:
    """The message's question once more, for another answer."""
    return GenerateRequest(
        query=message.query,
        inputs=message.inputs,
        files=tuple(
            FileInput(file.type, file.transfer_method, file.url, str(file.upload_file_id or ""))
            for file in messages.given_files(message)
        ),
        trace_id=trace,
        streaming=streaming,
        parameters=BOLD,
    )
