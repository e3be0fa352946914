"""What a client may know of an app: the body of ``GET /parameters``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .form import wrap
from .schema import AppConfig
from .sections import FileUpload, TextToSpeech, Toggle


def parameters(config: AppConfig, limits: Mapping[str, int]) -> dict[str, Any]:
    """The body. ``limits`` are the instance's ``system_parameters`` (sizes in MB). Keywords of moderation stay private."""
    return {
        "opening_statement": config.opening_statement,
        "suggested_questions": list(config.suggested_questions),
        "suggested_questions_after_answer": _toggle(config.suggested_questions_after_answer),
        "speech_to_text": _toggle(config.speech_to_text),
        "text_to_speech": _speech(config.text_to_speech),
        "retriever_resource": _toggle(config.retriever_resource),
        "annotation_reply": _toggle(config.annotation_reply),
        "more_like_this": _toggle(config.more_like_this),
        "user_input_form": [wrap(field) for field in config.user_input_form],
        "sensitive_word_avoidance": _toggle(config.sensitive_word_avoidance),
        "file_upload": _files(config.file_upload),
        "system_parameters": dict(limits),
    }


def _toggle(section: Toggle) -> dict[str, Any]:
    return {"enabled": section.enabled}


def _speech(section: TextToSpeech) -> dict[str, Any]:
    told = {"voice": section.voice, "language": section.language, "autoPlay": section.autoPlay}
    return {"enabled": section.enabled, **{name: value for name, value in told.items() if value is not None}}


def _files(section: FileUpload) -> dict[str, Any]:
    image = section.image
    return {
        "enabled": section.enabled,
        "allowed_file_types": list(section.allowed_file_types),
        "allowed_file_extensions": list(section.allowed_file_extensions),
        "allowed_file_upload_methods": list(section.allowed_file_upload_methods),
        "number_limits": section.number_limits,
        "image": {
            "enabled": image.enabled,
            "number_limits": image.number_limits,
            "detail": image.detail,
            "transfer_methods": list(image.transfer_methods),
        },
    }
