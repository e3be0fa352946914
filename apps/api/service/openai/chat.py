"""POST /chat/completions: one generation of the app, in OpenAI's words."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.generation import Once
from apps.services import apps
from difyproj.infra import db
from difyproj.kernel import jsonio
from difyproj.kernel.errors import AppUnavailable
from difyproj.kernel.principal import Principal
from difyproj.tiers import idempotency
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import CHAT_MODES
from difyproj.tiers.streaming import EventStream, Form

from ...questions import trace_id
from . import records
from .base import OpenAIViewSet
from .fields import ChatCompletionFields
from .question import CONVERSATION, Question, file_inputs, question


def chunk(_: int, record: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % jsonio.dumps(record)


CHUNKS = Form(chunk, ping=b": ping\n\n", end=b"data: [DONE]\n\n")
REPLY = "`stream`: server-sent events, each `data: ` and one chunk, and `data: [DONE]` at the end. Without it the whole answer."
EXAMPLE = {"model": "app", "messages": [{"role": "user", "content": "What can you do?"}]}
HEADER = OpenApiParameter(
    CONVERSATION,
    str,
    OpenApiParameter.HEADER,
    description="Go on with this conversation of `user`. Every answer of a chat app has the header with its conversation's id.",
)


class ChatCompletions(OpenAIViewSet):
    modes = CHAT_MODES | {"completion"}
    wrong_mode = AppUnavailable
    keeps_answers = False
    repeats_safely = True

    @extend_schema(
        operation_id="createChatCompletion",
        request=ChatCompletionFields,
        parameters=[HEADER],
        responses={
            (200, "application/json"): OpenApiResponse(records.ChatCompletion, description=REPLY),
            (200, "text/event-stream"): OpenApiResponse(records.ChatCompletionChunk, description=REPLY),
        },
        examples=[OpenApiExample("A question", value=EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> Deferred:
        once = idempotency.once(request, self.principal)
        fields = self.body(ChatCompletionFields)
        conversation_id = request.headers.get(CONVERSATION, "").strip()
        asked = question(self.app, fields, conversation_id=conversation_id, trace=trace_id(request, None))
        principal = self.principal_of(self.end_user(fields.get("user")))
        wire = partial(
            generation.ChatCompletionWire,
            model=apps.model_name(self.app),
            fingerprint=apps.fingerprint(self.app),
            include_usage=(fields.get("stream_options") or {}).get("include_usage") is True,
            describe=self.error_shape,
        )
        run_id = generation.begun_with(once) if once else None
        if run_id is None and not asked.images:
            run_id = generation.generate(principal, self.app, asked.request, once=once)

        async def answer() -> EventStream | Response:
            begun = run_id or await self.begin(principal, asked, once)
            subscription = await generation.subscribe(principal, begun, wire=wire)
            response: EventStream | Response
            if asked.request.streaming:
                response = EventStream(subscription, form=CHUNKS)
            else:
                response = Response(await subscription.whole())
            if self.app.mode in CHAT_MODES:
                response[CONVERSATION] = str(subscription.reply.conversation_id)
            return response

        return Deferred(answer)

    async def begin(self, principal: Principal, asked: Question, once: Once | None) -> UUID:
        """The run, once its images are kept."""
        files = await file_inputs(principal, asked.images)
        return await db.run(generation.generate, principal, self.app, replace(asked.request, files=files), once=once)
