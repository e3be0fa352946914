"""Files and speech."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.services import files, messages
from difyproj.kernel.errors import NoAudioUploaded
from difyproj.tiers import uploads
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import ServiceViewSet
from difyproj.tiers.speech import SpeechBody

from .. import records, requests
from ..signed_files import show

UPLOAD_BODY = uploads.body(user={"type": "string"})


class FileUpload(ServiceViewSet):
    tag = "Files"

    @extend_schema(operation_id="uploadFile", request=UPLOAD_BODY, responses={201: records.UploadFileRecord})
    def create(self, request: Request) -> Deferred:
        user = self.body(requests.OptionalUserFields).get("user")
        file = uploads.the_file(request)
        row = files.plan(owner=self.principal_of(self.end_user(user)), file=file)

        async def keep() -> Response:
            return Response(records.UploadFileRecord(await files.keep(row, file)).data, status=201)

        return Deferred(keep)


class FilePreview(ServiceViewSet):
    tag = "Files"

    @extend_schema(
        operation_id="previewFile",
        parameters=[requests.FilePreviewFields],
        responses={(200, "*/*"): OpenApiTypes.BINARY},
    )
    def retrieve(self, request: Request, file_id: str) -> HttpResponseBase:
        fields = self.query(requests.FilePreviewFields)
        return show(request, files.previewable(self.principal, file_id), as_attachment=fields["as_attachment"])


class AudioToText(ServiceViewSet):
    tag = "Audio"

    @extend_schema(operation_id="audioToText", request=UPLOAD_BODY, responses=records.TranscriptRecord)
    def create(self, request: Request) -> Deferred:
        self.body(requests.OptionalUserFields)
        file = uploads.the_file(request, absent=NoAudioUploaded)
        plan = generation.plan_transcript(self.app, file)

        async def transcribe() -> Response:
            return Response({"text": await generation.transcribe(plan)})

        return Deferred(transcribe)


class TextToAudio(ServiceViewSet):
    tag = "Audio"
    keeps_answers = False

    @extend_schema(
        operation_id="textToAudio",
        request=requests.SpeechFields,
        responses={(200, "audio/*"): OpenApiTypes.BINARY},
    )
    def create(self, request: Request) -> Deferred:
        fields = self.body(requests.SpeechFields)
        end_user = self.end_user(fields.get("user"))
        text = fields.get("text") or ""
        if fields.get("message_id"):
            text = messages.get(end_user, fields["message_id"]).answer
        plan = generation.plan_speech(self.app, text, voice=fields.get("voice") or "")

        async def speak() -> SpeechBody:
            return await SpeechBody.of(generation.speak(plan))

        return Deferred(speak)
