"""The body of ``GET /parameters``, described; apps.config makes it."""

from __future__ import annotations

from rest_framework import serializers

from .records import Shape


class Toggle(Shape):
    enabled = serializers.BooleanField()


class SpeechSettings(Toggle):
    voice = serializers.CharField(required=False)
    language = serializers.CharField(required=False)
    autoPlay = serializers.CharField(required=False)


class Control(Shape):
    """One control of an input form; which of the optional fields it has depends on its kind."""

    label = serializers.CharField()  # type: ignore[assignment]
    variable = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    max_length = serializers.IntegerField(required=False, allow_null=True)
    default = serializers.JSONField(required=False, allow_null=True)
    hide = serializers.BooleanField(required=False)
    description = serializers.CharField(required=False)
    options = serializers.ListField(child=serializers.CharField(), required=False)
    allowed_file_types = serializers.ListField(child=serializers.CharField(), required=False)
    allowed_file_extensions = serializers.ListField(child=serializers.CharField(), required=False)
    allowed_file_upload_methods = serializers.ListField(child=serializers.CharField(), required=False)


class ImageRules(Toggle):
    number_limits = serializers.IntegerField()
    detail = serializers.CharField()
    transfer_methods = serializers.ListField(child=serializers.CharField())


class FileRules(Toggle):
    allowed_file_types = serializers.ListField(child=serializers.CharField())
    allowed_file_extensions = serializers.ListField(child=serializers.CharField())
    allowed_file_upload_methods = serializers.ListField(child=serializers.CharField())
    number_limits = serializers.IntegerField()
    image = ImageRules()


class SystemLimits(Shape):
    """Megabytes, except ``workflow_file_upload_limit``, which counts files."""

    file_size_limit = serializers.IntegerField()
    image_file_size_limit = serializers.IntegerField()
    audio_file_size_limit = serializers.IntegerField()
    video_file_size_limit = serializers.IntegerField()
    workflow_file_upload_limit = serializers.IntegerField()


class ParametersRecord(Shape):
    opening_statement = serializers.CharField(allow_null=True)
    suggested_questions = serializers.ListField(child=serializers.CharField())
    suggested_questions_after_answer = Toggle()
    speech_to_text = Toggle()
    text_to_speech = SpeechSettings()
    retriever_resource = Toggle()
    annotation_reply = Toggle()
    more_like_this = Toggle()
    user_input_form = serializers.ListField(
        child=serializers.DictField(child=Control()), help_text="Objects of one key each: the control's kind."
    )
    sensitive_word_avoidance = Toggle()
    file_upload = FileRules()
    system_parameters = SystemLimits()
