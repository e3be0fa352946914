"""The one error family: each error carries the wire code and HTTP status of Dify's contract.

Services, engine and model runtime raise these; an edge (tiers/errors.py, generation/wire.py) turns them into its own shape.
Codes are stable identifiers (contract: errors); messages are for people.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """An error a caller can be told about. ``str(error)`` is the public message."""

    code: ClassVar[str] = "invalid_param"
    status: ClassVar[int] = 400
    default_message: ClassVar[str] = "The request is not valid."

    def __init__(
        self, message: str | None = None, *, params: str | None = None, retry_after: float | None = None, data: Any = None
    ) -> None:
        """``params`` names the offending field; ``retry_after`` is in seconds; ``data`` is extra public detail."""
        super().__init__(self.default_message if message is None else message)
        self.params = params
        self.retry_after = retry_after
        self.data = data

    @property
    def message(self) -> str:
        return str(self)


class InvalidParam(DomainError):
    """A field is missing or wrong."""


class BadRequest(DomainError):
    code = "bad_request"
    default_message = "The request could not be understood."


class Unauthorized(DomainError):
    code, status = "unauthorized", 401
    default_message = "Access token is invalid."


class Forbidden(DomainError):
    code, status = "forbidden", 403
    default_message = "You do not have permission for this."


class NotFound(DomainError):
    code, status = "not_found", 404
    default_message = "Not found."


class MethodNotAllowed(DomainError):
    code, status = "method_not_allowed", 405
    default_message = "This method is not allowed here."


class Conflict(DomainError):
    code, status = "conflict", 409
    default_message = "The request conflicts with the current state."


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"
    default_message = "This Idempotency-Key was used with another request."


class TooManyRequests(DomainError):
    """The app's concurrency or a caller's rate is used up; always with ``retry_after``."""

    code, status = "too_many_requests", 429
    default_message = "Too many requests. Please try again later."


class RateLimited(DomainError):
    """A plan's quota is used up."""

    code, status = "rate_limit_error", 429
    default_message = "The rate limit of the plan is reached."


class InternalError(DomainError):
    code, status = "internal_server_error", 500
    default_message = "The server met an unexpected error. Please try again, and contact support if it stays."


class ServiceUnavailable(DomainError):
    code, status = "service_unavailable", 503
    default_message = "The service is not available right now."


class AppUnavailable(DomainError):
    code = "app_unavailable"
    default_message = "App unavailable, please check the app's configuration."


class NotChatApp(DomainError):
    code = "not_chat_app"
    default_message = "The app's mode does not match this route: a chat app is needed."


class NotCompletionApp(DomainError):
    code = "not_completion_app"
    default_message = "The app's mode does not match this route: a completion app is needed."


class NotWorkflowApp(DomainError):
    code = "not_workflow_app"
    default_message = "The app's mode does not match this route: a workflow app is needed."


class ConversationCompleted(DomainError):
    code = "conversation_completed"
    default_message = "The conversation has ended. Please start a new one."


class ProviderNotInitialize(DomainError):
    code = "provider_not_initialize"
    default_message = "No valid model provider credentials were found. Add them in the model provider settings."


class ProviderQuotaExceeded(DomainError):
    code = "provider_quota_exceeded"
    default_message = "The quota of the model provider is used up."


class ModelNotSupported(DomainError):
    code = "model_currently_not_support"
    default_message = "The model is not supported right now."


class CompletionRequestError(DomainError):
    """A model call failed for any other reason."""

    code = "completion_request_error"
    default_message = "The model call failed."


class WorkerLost(DomainError):
    """The process that ran a generation ended before the generation did."""

    code, status = "worker_lost", 500
    default_message = "The server that was answering stopped; the text so far is kept."


class NoAudioUploaded(DomainError):
    code = "no_audio_uploaded"
    default_message = "Please upload an audio file."


class AudioTooLarge(DomainError):
    code, status = "audio_too_large", 413
    default_message = "The audio file is too large."


class UnsupportedAudioType(DomainError):
    code, status = "unsupported_audio_type", 415
    default_message = "The audio type is not allowed."


class ProviderNotSupportSpeechToText(DomainError):
    code = "provider_not_support_speech_to_text"
    default_message = "The model provider does not support speech to text."


class SpeechToTextDisabled(DomainError):
    code = "speech_to_text_disabled"
    default_message = "Speech to text is not enabled for this app."


class NoFileUploaded(DomainError):
    code = "no_file_uploaded"
    default_message = "Please upload a file in the part named file."


class TooManyFiles(DomainError):
    code = "too_many_files"
    default_message = "Only one file may be uploaded at a time."


class FilenameNotExists(DomainError):
    code = "filename_not_exists_error"
    default_message = "The file has no name."


class FileExtensionBlocked(DomainError):
    code = "file_extension_blocked"
    default_message = "Files with this extension are not allowed."


class FileTooLarge(DomainError):
    """Clients know this error with an empty message (contract: errors, section 3)."""

    code, status = "file_too_large", 413
    default_message = ""


class UnsupportedFileType(DomainError):
    code, status = "unsupported_file_type", 415
    default_message = "The file type is not allowed."


class FileNotFound(DomainError):
    code, status = "file_not_found", 404
    default_message = "The file was not found."


class FileAccessDenied(DomainError):
    code, status = "file_access_denied", 403
    default_message = "Access to the file is denied."


class EndUserNotFound(DomainError):
    code, status = "end_user_not_found", 404
    default_message = "The end user was not found."


class SuggestedQuestionsDisabled(BadRequest):
    """Service API answers ``bad_request``; the Web API has a code of its own (contract: errors, section 3)."""

    default_message = "Suggested questions after an answer are not enabled for this app."


class AppSuggestedQuestionsDisabled(SuggestedQuestionsDisabled):
    """The same on the other two tiers."""

    code, status = "app_suggested_questions_after_answer_disabled", 403


class DraftWorkflowNotExist(DomainError):
    code = "draft_workflow_not_exist"
    default_message = "The app has no draft yet. Save one first."


class DraftWorkflowNotSync(DomainError):
    """Somebody else saved the draft in between."""

    code = "draft_workflow_not_sync"
    default_message = "The draft was changed elsewhere. Please load it again before you save."


class WorkflowNotFound(NotFound):
    default_message = "Workflow not found."


class HumanInputFormSubmitted(DomainError):
    code, status = "human_input_form_submitted", 412
    default_message = "The form has been answered already."


class HumanInputFormExpired(DomainError):
    code, status = "human_input_form_expired", 412
    default_message = "The form's time is over."


class InvalidFormData(DomainError):
    """What was submitted does not fit the form, which stays open."""

    code = "invalid_form_data"
    default_message = "What was submitted does not fit the form."
