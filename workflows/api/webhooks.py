"""The addresses of webhooks: whoever calls one begins a run of the published graph, and is answered at once."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any, ClassVar

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps import generation
from apps.models import UploadFile
from apps.services import files
from difyproj.infra import db
from difyproj.kernel.principal import ActorKind, Principal, Tier
from difyproj.tiers import error_shapes
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import TierViewSet
from difyproj.tiers.errors import HttpError
from difyproj.tiers.handler import BODILESS
from difyproj.tiers.parsers import UploadParser
from workflows.engine.kinds import is_array
from workflows.models import Trigger
from workflows.nodes import trigger_webhook
from workflows.nodes.trigger_webhook import BYTES, MULTIPART, Received, TriggerWebhookData
from workflows.services import triggers, webhook_calls

METHODS = ("get", "post", "put", "patch", "delete", "head")
Upload = tuple[UploadFile, UploadedFile]


@extend_schema(exclude=True)
class Webhook(TierViewSet):
    """The token in the address is the credential, beside a signature where the trigger has a key."""

    authentication_classes = ()
    error_shape = staticmethod(error_shapes.webhook)

    def receive(self, request: Request, token: str) -> HttpResponse | Deferred:
        return self._answer(Call(triggers.by_token(token), request))

    def debug(self, request: Request, token: str) -> HttpResponse | Deferred:
        """For the author who listens, and runs the draft with it."""
        return self._answer(DebugCall(triggers.by_token(token, debugged=True), request))

    def _answer(self, call: Call) -> HttpResponse | Deferred:
        signed = call.signature()
        inputs = trigger_webhook.inputs(call.data, call.received())
        webhook_calls.take(call.trigger, signed)
        if not call.uploads:
            return call.fire(inputs, signed)
        return Deferred(lambda: call.keep_and_fire(inputs, signed))


class Call:
    """One request to a webhook, its body read once."""

    is_debugged: ClassVar[bool] = False

    def __init__(self, trigger: Trigger, request: Request) -> None:
        self.trigger, self.data = trigger, webhook_calls.data_of(trigger, debugged=self.is_debugged)
        self.uploads: list[Upload] = []
        self._request = request
        self._body = body_of(request)
        self._kind = (request.content_type or "").partition(";")[0].strip().lower()

    def received(self) -> Received:
        """The request as the node reads it. Its files have rows that are not kept yet."""
        fields: Mapping[str, Any] = {}
        file = None
        if self._kind == MULTIPART and self._body:
            fields = self._form(self.owner())
        elif BYTES in (self._kind, self.data.content_type) and self._body:
            whole = SimpleUploadedFile("body.bin", self._body, BYTES)
            file = self._planned(self.owner(), whole)
        headers = [(name, value) for name, value in self._request.headers.items()]
        query = [(name, str(value)) for name, value in self._request.query_params.items()]
        return Received(str(self._request.method), headers, query, self._body, fields, file)

    def owner(self) -> Principal:
        return generation.trigger_user(self.trigger)

    def begin(self, inputs: Mapping[str, Any]) -> None:
        generation.fire(self.trigger, inputs)

    def signature(self) -> str:
        told = self._request.headers
        signed, timestamp = told.get("X-Signature", ""), told.get("X-Timestamp", "")
        return webhook_calls.checked(self.trigger, signed=signed, timestamp=timestamp, body=self._body)

    def fire(self, inputs: Mapping[str, Any], signed: str) -> HttpResponse:
        try:
            self.begin(inputs)
        except BaseException:
            webhook_calls.give_back(self.trigger, signed)
            raise
        return answer(self.trigger, self.data, inputs)

    async def keep_and_fire(self, inputs: Mapping[str, Any], signed: str) -> HttpResponse:
        try:
            for row, file in self.uploads:
                await files.keep(row, file)
        except BaseException:
            await db.run(webhook_calls.give_back, self.trigger, signed)
            raise
        return await db.run(self.fire, inputs, signed)

    def _form(self, owner: Principal) -> dict[str, Any]:
        """The fields of a form. Several files of one name are a list, as are those of a field that takes one."""
        content_type = self._request.headers.get("Content-Type", "")
        form = UploadParser().parse(BytesIO(self._body), content_type, {"request": self._request._request})
        lists = {field.name for field in self.data.fields if is_array(field.type or "")}
        made: dict[str, Any] = form.data.dict()
        for name, given in form.files.lists():
            values = [self._planned(owner, file) for file in given]
            made[name] = values if len(values) > 1 or name in lists else values[0]
        return made

    def _planned(self, owner: Principal, file: UploadedFile) -> dict[str, Any]:
        row = files.plan(owner=owner, file=file)
        self.uploads.append((row, file))
        return generation.file_value(row)


class DebugCall(Call):
    """One that begins nothing by itself."""

    is_debugged = True

    def owner(self) -> Principal:
        trigger = self.trigger
        assert trigger.listening_by_id is not None  # set together with the time until when
        return Principal(trigger.tenant_id, ActorKind.ACCOUNT, trigger.listening_by_id, Tier.CONSOLE, trigger.app_id)

    def begin(self, inputs: Mapping[str, Any]) -> None:
        webhook_calls.catch(self.trigger, inputs)


def body_of(request: Request) -> bytes:
    limit = settings.WEBHOOK_REQUEST_BODY_MAX_SIZE
    body: bytes = request._request.read(limit + 1)
    if len(body) > limit:
        raise HttpError(413, "request_entity_too_large", f"The body of a webhook call may have at most {limit} bytes.")
    return body


def answer(trigger: Trigger, data: TriggerWebhookData, inputs: Mapping[str, Any]) -> HttpResponse:
    """As the node is configured; the run goes on meanwhile."""
    told = trigger_webhook.response(data, trigger.node_id, inputs)
    body = b"" if told.status in BODILESS else told.body.encode()
    return HttpResponse(body, status=told.status, content_type=trigger_webhook.JSON)


routes = [
    path("webhook/<str:token>", Webhook.as_view(dict.fromkeys(METHODS, "receive"))),
    path("webhook-debug/<str:token>", Webhook.as_view(dict.fromkeys(METHODS, "debug"))),
]
