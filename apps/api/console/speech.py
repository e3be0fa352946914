"""Speech both ways, as the app's saved configuration allows it."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.services import logs
from difyproj.kernel.errors import NoAudioUploaded
from difyproj.tiers import uploads
from difyproj.tiers.actions import Deferred
from difyproj.tiers.console import ConsoleViewSet
from difyproj.tiers.speech import SpeechBody

from ..records import Shape, TranscriptRecord
from ..requests import Fields, SpeechFields


class SpokenFields(SpeechFields):
    user = None  # type: ignore[assignment]


class LanguageFields(Fields):
    language = serializers.CharField(max_length=32)


class VoiceRecord(Shape):
    name = serializers.CharField()
    value = serializers.CharField()


class AudioToText(ConsoleViewSet):
    tag = "Audio"
    needs = {"create": "app.run"}

    @extend_schema(operation_id="transcribeInDebug", request=uploads.body(), responses=TranscriptRecord)
    def create(self, request: Request, app_id: str) -> Deferred:
        plan = generation.plan_transcript(self.app(app_id), uploads.the_file(request, absent=NoAudioUploaded))

        async def transcribe() -> Response:
            return Response({"text": await generation.transcribe(plan)})

        return Deferred(transcribe)


class TextToAudio(ConsoleViewSet):
    tag = "Audio"
    needs = {"create": "app.edit", "voices": "app.view"}

    @extend_schema(operation_id="speakInDebug", request=SpokenFields, responses={(200, "audio/*"): OpenApiTypes.BINARY})
    def create(self, request: Request, app_id: str) -> Deferred:
        app, fields = self.app(app_id), self.body(SpokenFields)
        text = fields.get("text") or ""
        if fields.get("message_id"):
            text = logs.message(app, fields["message_id"]).answer
        plan = generation.plan_speech(app, text, voice=fields.get("voice") or "")

        async def speak() -> SpeechBody:
            return await SpeechBody.of(generation.speak(plan))

        return Deferred(speak)

    @extend_schema(operation_id="getVoices", parameters=[LanguageFields], responses=VoiceRecord(many=True))
    def voices(self, request: Request, app_id: str) -> Response:
        found = generation.voices(self.app(app_id), self.query(LanguageFields)["language"])
        return Response([{"name": voice.label, "value": voice.value} for voice in found])


below = "apps/<str:app_id>"
routes = [
    path(f"{below}/audio-to-text", AudioToText.as_view({"post": "create"})),
    path(f"{below}/text-to-audio", TextToAudio.as_view({"post": "create"})),
    path(f"{below}/text-to-audio/voices", TextToAudio.as_view({"get": "voices"})),
]
