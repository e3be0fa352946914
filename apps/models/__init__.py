"""Rows of the apps room: what a tenant publishes and what people ask of it."""

from .app import App, AppStatus, Site
from .conversation import Conversation, Feedback, Message, MessageFile
from .end_user import EndUser
from .run import Run, RunStatus
from .token import ApiToken
from .upload_file import UploadFile

__all__ = [
    "ApiToken",
    "App",
    "AppStatus",
    "Conversation",
    "EndUser",
    "Feedback",
    "Message",
    "MessageFile",
    "Run",
    "RunStatus",
    "Site",
    "UploadFile",
]
