"""A visitor's files, those that lie elsewhere, and speech."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.services import files, messages, remote_files
from difyproj.kernel.errors import NoAudioUploaded
from difyproj.tiers import throttling, uploads
from difyproj.tiers.actions import Deferred
from difyproj.tiers.speech import SpeechBody
from difyproj.tiers.web import WebViewSet

from .. import remote
from ..records import TranscriptRecord, UploadFileRecord
from . import requests

SPEECH = "web-speech"
REMOTE = "web-remote-files"
UPLOADS = "web-uploads"


class FileUpload(WebViewSet):
    tag = "Files"

    @extend_schema(
        operation_id="uploadFile",
        request=uploads.body(source={"type": "string", "enum": ["datasets"]}),
        responses={201: UploadFileRecord},
    )
    def create(self, request: Request) -> Deferred:
        throttling.check_visitor(self.visit, self.ip, request, group=UPLOADS)
        self.body(requests.UploadFields)
        file = uploads.the_file(request)
        row = files.plan(owner=self.principal, file=file)

        async def keep() -> Response:
            return Response(UploadFileRecord(await files.keep(row, file)).data, status=201)

        return Deferred(keep)


class RemoteFiles(WebViewSet):
    tag = "Files"

    @extend_schema(operation_id="getRemoteFile", responses=remote.RemoteFileInfoRecord)
    def retrieve(self, request: Request, url: str) -> Deferred:
        throttling.check_visitor(self.visit, self.ip, request, group=REMOTE)

        async def look() -> Response:
            return Response(remote.RemoteFileInfoRecord(await remote_files.info(remote.given_url(request, url))).data)

        return Deferred(look)

    @extend_schema(operation_id="uploadRemoteFile", request=remote.RemoteFileFields, responses={201: remote.RemoteFileRecord})
    def create(self, request: Request) -> Deferred:
        url = self.body(remote.RemoteFileFields)["url"]
        throttling.check_visitor(self.visit, self.ip, request, group=REMOTE)

        async def take() -> Response:
            row = await remote_files.fetch(url, owner=self.principal)
            return Response(remote.RemoteFileRecord(row).data, status=201)

        return Deferred(take)


class AudioToText(WebViewSet):
    tag = "Audio"

    @extend_schema(operation_id="audioToText", request=uploads.body(), responses=TranscriptRecord)
    def create(self, request: Request) -> Deferred:
        throttling.check_visitor(self.visit, self.ip, request, group=SPEECH)
        plan = generation.plan_transcript(self.app, uploads.the_file(request, absent=NoAudioUploaded))

        async def transcribe() -> Response:
            return Response({"text": await generation.transcribe(plan)})

        return Deferred(transcribe)


class TextToAudio(WebViewSet):
    tag = "Audio"

    @extend_schema(
        operation_id="textToAudio",
        request=requests.SpeechFields,
        responses={(200, "audio/*"): OpenApiTypes.BINARY},
    )
    def create(self, request: Request) -> Deferred:
        fields = self.body(requests.SpeechFields)
        throttling.check_visitor(self.visit, self.ip, request, group=SPEECH)
        text = fields.get("text") or ""
        if fields.get("message_id"):
            text = messages.get(self.end_user, fields["message_id"]).answer
        plan = generation.plan_speech(self.app, text, voice=fields.get("voice") or "")

        async def speak() -> SpeechBody:
            return await SpeechBody.of(generation.speak(plan))

        return Deferred(speak)


routes = [
    path("files/upload", FileUpload.as_view({"post": "create"})),
    path("remote-files/upload", RemoteFiles.as_view({"post": "create"})),
    path("remote-files/<path:url>", RemoteFiles.as_view({"get": "retrieve"})),
    path("audio-to-text", AudioToText.as_view({"post": "create"})),
    path("text-to-audio", TextToAudio.as_view({"post": "create"})),
]
