"""Rows of the apps room: what a tenant publishes and what people ask of it."""

from .annotation import Annotation, AnnotationHit, AnnotationReply
from .app import AccessMode, App, AppStar, AppStatus, Site
from .conversation import Conversation, Feedback, Message, MessageFile
from .dataset_use import DatasetUse
from .dsl import DslLeftovers, PendingImport
from .end_user import EndUser
from .kept import PinnedConversation, SavedMessage
from .run import Run, RunStatus
from .token import ApiToken
from .upload_file import DoomedBytes, PreviewState, UploadFile

__all__ = [
    "AccessMode",
    "Annotation",
    "AnnotationHit",
    "AnnotationReply",
    "ApiToken",
    "App",
    "AppStar",
    "AppStatus",
    "Conversation",
    "DatasetUse",
    "DoomedBytes",
    "DslLeftovers",
    "EndUser",
    "Feedback",
    "Message",
    "MessageFile",
    "PendingImport",
    "PinnedConversation",
    "PreviewState",
    "Run",
    "RunStatus",
    "SavedMessage",
    "Site",
    "UploadFile",
]
