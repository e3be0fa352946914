"""One-shot model calls beside runs: a conversation's title, suggested questions, speech both ways.

Each is planned in a thread with database access (``plan_...``) and carried out on the loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from accounts.services import model_access
from apps import config as app_config
from apps.config import AppConfig
from apps.models import App, Conversation, Message, Run
from apps.modes import GRAPH_MODES, questions
from apps.services import apps, conversations, graph_apps
from difyproj.infra import db
from difyproj.infra.model_port import runtime
from difyproj.kernel.errors import (
    AppSuggestedQuestionsDisabled,
    AudioTooLarge,
    DomainError,
    InvalidParam,
    ProviderNotInitialize,
    ProviderNotSupportSpeechToText,
    SpeechToTextDisabled,
    SuggestedQuestionsDisabled,
    UnsupportedAudioType,
)
from difyproj.kernel.principal import Tier
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential, ModelRequest, ModelType
from difyproj.model_runtime.messages import Delta, PromptMessage
from difyproj.model_runtime.model_facts import Voice
from workflows.engine.node import HistoryTurn

MEGABYTE: Final = 1024 * 1024
AUDIO_TYPES: Final = frozenset(
    {"audio/mp3", "audio/mpga", "audio/m4a", "audio/x-m4a", "audio/wav", "audio/x-wav", "audio/wave", "audio/amr"}
)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A model with the credentials to call it."""

    provider: str
    model: str
    credentials: Sequence[Credential]


@dataclass(frozen=True, slots=True)
class QuestionsPlan:
    call: ModelCall | None
    turns: Sequence[HistoryTurn]


@dataclass(frozen=True, slots=True)
class TitlePlan:
    conversation: Conversation
    query: str
    call: ModelCall | None


@dataclass(frozen=True, slots=True)
class TranscriptPlan:
    call: ModelCall
    audio: bytes
    filename: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class SpeechPlan:
    call: ModelCall
    text: str
    voice: str


async def complete(call: ModelCall, messages: Sequence[PromptMessage]) -> str:
    """The whole text of one model call."""
    request = ModelRequest(call.model, messages, parameters=questions.PARAMETERS)
    text: list[str] = []
    async with aclosing(runtime().stream(call.provider, call.credentials, request)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            if isinstance(piece, Delta):
                text.append(piece.text)
    return "".join(text)


def _app_model(app: App, config: AppConfig | None = None) -> ModelCall | None:
    """The model for small texts: the workspace's default, else the app's own; None when neither can be called."""
    model = (config or apps.configuration(app)).model
    default = model_access.default_model(app.tenant_id, ModelType.LLM)
    for provider, name in ((default.provider, default.model) if default else ("", ""), (model.provider, model.name)):
        if provider and name:
            try:
                return ModelCall(provider, name, model_access.credentials_for(app.tenant_id, provider, model=name))
            except ProviderNotInitialize:
                continue
    return None


def plan_questions(app: App, message: Message) -> QuestionsPlan:
    """By the configuration that the message was answered with. Raises SuggestedQuestionsDisabled, as the tier knows it."""
    apps.demand_normal(app)
    config = _configuration_of(app, message)
    if not config.suggested_questions_after_answer.enabled:
        raise SuggestedQuestionsDisabled if message.tier == Tier.SERVICE else AppSuggestedQuestionsDisabled
    rows = Message.objects.filter(conversation_id=message.conversation_id, created_at__lte=message.created_at)
    turns = list(rows.order_by("-created_at").values_list("query", "answer")[:3])
    return QuestionsPlan(_app_model(app, config), [HistoryTurn(query, answer) for query, answer in reversed(turns)])


def _configuration_of(app: App, message: Message) -> AppConfig:
    """A debug run's own configuration, else the app's; a graph is debugged by its draft."""
    if message.tier == Tier.CONSOLE and app.mode in GRAPH_MODES:
        return graph_apps.draft_configuration(app)
    rows = Run.objects.filter(message=message).values_list("config_override", flat=True)
    override = rows.first() if message.tier == Tier.CONSOLE else None
    return apps.configuration(app) if override is None else app_config.parse(override)


async def ask_questions(plan: QuestionsPlan) -> list[str]:
    """Up to three questions; none when no model can be asked or it fails, as the contract has it."""
    if plan.call is None:
        return []
    try:
        return questions.parse_suggestions(await complete(plan.call, questions.suggestion_prompt(plan.turns)))
    except DomainError:
        return []


def plan_title(app: App, conversation: Conversation) -> TitlePlan:
    """Raises InvalidParam for a conversation without a message."""
    first = Message.objects.filter(conversation=conversation).order_by("created_at").values_list("query", flat=True).first()
    if first is None:
        raise InvalidParam("The conversation has no message to take a name from.", params="auto_generate")
    return TitlePlan(conversation, first, _app_model(app))


async def write_title(plan: TitlePlan) -> Conversation:
    """Name the conversation after its first question."""
    return await db.run(conversations.rename, plan.conversation, name=await _title(plan))


async def suggest_title(plan: TitlePlan) -> None:
    """Name the conversation, unless somebody named it meanwhile."""
    await db.run(conversations.name_once, plan.conversation, name=await _title(plan))


async def _title(plan: TitlePlan) -> str:
    try:
        answer = await complete(plan.call, questions.title_prompt(plan.query)) if plan.call else ""
    except DomainError:
        answer = ""
    return questions.parse_title(answer, plan.query) or conversations.DEFAULT_NAME


def default_call(app: App, model_type: ModelType) -> ModelCall:
    default = model_access.default_model(app.tenant_id, model_type)
    if default is None:
        raise ProviderNotInitialize(f"The workspace has no default {model_type} model.")
    credentials = model_access.credentials_for(app.tenant_id, default.provider, model=default.model, model_type=model_type)
    return ModelCall(default.provider, default.model, credentials)


def plan_transcript(app: App, file: UploadedFile) -> TranscriptPlan:
    apps.demand_normal(app)
    if not apps.configuration(app).speech_to_text.enabled:
        raise SpeechToTextDisabled
    if file.content_type not in AUDIO_TYPES:
        raise UnsupportedAudioType
    if (file.size or 0) > settings.SPEECH_TO_TEXT_SIZE_LIMIT * MEGABYTE:
        raise AudioTooLarge(f"The audio file is larger than {settings.SPEECH_TO_TEXT_SIZE_LIMIT} MB.")
    call = default_call(app, ModelType.SPEECH2TEXT)
    if ModelType.SPEECH2TEXT not in catalogue.provider_class(call.provider).model_types:
        raise ProviderNotSupportSpeechToText
    return TranscriptPlan(call, file.read(), file.name or "audio", file.content_type or "")


async def transcribe(plan: TranscriptPlan) -> str:
    call = plan.call
    return await runtime().transcribe(
        call.provider, call.credentials, call.model, plan.audio, filename=plan.filename, mime_type=plan.mime_type
    )


def plan_speech(app: App, text: str, *, voice: str) -> SpeechPlan:
    apps.demand_normal(app)
    section = apps.configuration(app).text_to_speech
    if not section.enabled:
        raise InvalidParam("Text to speech is not enabled for this app.")
    if not text.strip():
        raise InvalidParam("There is no text to speak.", params="text")
    return SpeechPlan(default_call(app, ModelType.TTS), text, voice or section.voice or "")


def voices(app: App, language: str) -> Sequence[Voice]:
    """The voices of the workspace's default model, those that are made for the language if there are any.

    Raises ProviderNotInitialize without a default model.
    """
    call = default_call(app, ModelType.TTS)
    known = catalogue.facts(call.provider, call.model, ModelType.TTS).voices
    tongue = language.split("-")[0].lower()
    return [voice for voice in known if any(one.split("-")[0].lower() == tongue for one in voice.languages)] or known


def speak(plan: SpeechPlan) -> AsyncIterator[bytes]:
    call = plan.call
    return runtime().speak(call.provider, call.credentials, call.model, plan.text, voice=plan.voice)
