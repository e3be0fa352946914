"""The routes of the Service API's app family, without their prefix."""

from __future__ import annotations

from django.urls import path

from .annotation import AnnotationReplies, Annotations
from .app_info import AppInfo, AppMeta, AppParameters, AppSite, EndUsers
from .conversations import (
    AppFeedbacks,
    Conversations,
    ConversationVariables,
    MessageFeedback,
    Messages,
    SuggestedQuestions,
)
from .generate import ChatMessages, CompletionMessages, RunEvents
from .media import AudioToText, FilePreview, FileUpload, TextToAudio
from .openai.chat import ChatCompletions
from .openai.embeddings import Embeddings
from .openai.model_list import Models
from .workflows import WorkflowEvents, Workflows

urlpatterns = [
    path("chat-messages", ChatMessages.as_view({"post": "create"})),
    path("chat-messages/<str:task_id>/stop", ChatMessages.as_view({"post": "stop"})),
    path("completion-messages", CompletionMessages.as_view({"post": "create"})),
    path("completion-messages/<str:task_id>/stop", CompletionMessages.as_view({"post": "stop"})),
    path("workflows/run", Workflows.as_view({"post": "create"})),
    path("workflows/<str:workflow_id>/run", Workflows.as_view({"post": "create_version"})),
    path("workflows/tasks/<str:task_id>/stop", Workflows.as_view({"post": "stop"})),
    path("workflow/<str:workflow_run_id>/events", WorkflowEvents.as_view({"get": "list"})),
    path("runs/<str:task_id>/events", RunEvents.as_view({"get": "list"})),
    path("messages", Messages.as_view({"get": "list"})),
    path("messages/<str:message_id>/suggested", SuggestedQuestions.as_view({"get": "list"})),
    path("messages/<str:message_id>/feedbacks", MessageFeedback.as_view({"post": "create"})),
    path("app/feedbacks", AppFeedbacks.as_view({"get": "list"})),
    path("apps/annotation-reply/<str:action>", AnnotationReplies.as_view({"post": "create"})),
    path("apps/annotation-reply/<str:action>/status/<str:job_id>", AnnotationReplies.as_view({"get": "retrieve"})),
    path("apps/annotations", Annotations.as_view({"get": "list", "post": "create"})),
    path("apps/annotations/<str:annotation_id>", Annotations.as_view({"put": "update", "delete": "destroy"})),
    path("conversations", Conversations.as_view({"get": "list"})),
    path("conversations/<str:conversation_id>", Conversations.as_view({"delete": "destroy"})),
    path("conversations/<str:conversation_id>/name", Conversations.as_view({"post": "rename"})),
    path("conversations/<str:conversation_id>/variables", ConversationVariables.as_view({"get": "list"})),
    path(
        "conversations/<str:conversation_id>/variables/<str:variable_id>",
        ConversationVariables.as_view({"put": "update", "patch": "update"}),
    ),
    path("files/upload", FileUpload.as_view({"post": "create"})),
    path("files/<str:file_id>/preview", FilePreview.as_view({"get": "retrieve"})),
    path("audio-to-text", AudioToText.as_view({"post": "create"})),
    path("text-to-audio", TextToAudio.as_view({"post": "create"})),
    path("info", AppInfo.as_view({"get": "retrieve"})),
    path("parameters", AppParameters.as_view({"get": "retrieve"})),
    path("meta", AppMeta.as_view({"get": "retrieve"})),
    path("site", AppSite.as_view({"get": "retrieve"})),
    path("chat/completions", ChatCompletions.as_view({"post": "create"})),
    path("models", Models.as_view({"get": "list"})),
    path("models/<path:model_id>", Models.as_view({"get": "retrieve"})),
    path("embeddings", Embeddings.as_view({"post": "create"})),
    path("end-users/<str:end_user_id>", EndUsers.as_view({"get": "retrieve"})),
]
