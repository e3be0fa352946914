"""A visitor's conversations, the messages in them, and what the visitor keeps."""

from __future__ import annotations

from typing import ClassVar

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.services import conversations, messages, pins, saved_messages
from difyproj.kernel.errors import DomainError, NotCompletionApp
from difyproj.tiers import throttling
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import CHAT_MODES
from difyproj.tiers.web import WebViewSet

from ..records import SUCCESS, ConversationRecord, ConversationWindow, ResultRecord
from . import records, requests

SMALL_CALLS = "web-small-calls"


class Conversations(WebViewSet):
    tag = "Conversations"
    modes = CHAT_MODES

    @extend_schema(operation_id="getConversations", parameters=[requests.ConversationListFields], responses=ConversationWindow)
    def list(self, request: Request) -> Response:
        fields = self.query(requests.ConversationListFields)
        window = conversations.window(
            self.end_user,
            last_id=fields.get("last_id"),
            limit=fields["limit"],
            sort_by=fields["sort_by"],
            pinned=fields["pinned"],
        )
        return Response(ConversationWindow(window).data)

    @extend_schema(operation_id="deleteConversation", request=None, responses={204: None})
    def destroy(self, request: Request, conversation_id: str) -> Response:
        conversations.delete(conversations.get(self.end_user, conversation_id))
        return Response(status=204)

    @extend_schema(operation_id="renameConversation", request=requests.RenameFields, responses=ConversationRecord)
    def rename(self, request: Request, conversation_id: str) -> Response | Deferred:
        fields = self.body(requests.RenameFields)
        row = conversations.get(self.end_user, conversation_id)
        if not fields["auto_generate"]:
            return Response(ConversationRecord(conversations.rename(row, name=fields.get("name") or "")).data)
        throttling.check_visitor(self.visit, self.ip, request, group=SMALL_CALLS)
        plan = generation.plan_title(self.app, row)

        async def name() -> Response:
            return Response(ConversationRecord(await generation.write_title(plan)).data)

        return Deferred(name)

    @extend_schema(operation_id="pinConversation", request=None, responses=ResultRecord)
    def pin(self, request: Request, conversation_id: str) -> Response:
        pins.pin(conversations.get(self.end_user, conversation_id), self.end_user)
        return Response(SUCCESS)

    @extend_schema(operation_id="unpinConversation", request=None, responses=ResultRecord)
    def unpin(self, request: Request, conversation_id: str) -> Response:
        pins.unpin(conversation_id, self.end_user)
        return Response(SUCCESS)


class Messages(WebViewSet):
    tag = "Conversations"
    modes = CHAT_MODES

    @extend_schema(operation_id="getMessages", parameters=[requests.MessageListFields], responses=records.MessageWindow)
    def list(self, request: Request) -> Response:
        fields = self.query(requests.MessageListFields)
        conversation = conversations.get(self.end_user, fields["conversation_id"])
        window = messages.window(conversation, first_id=fields.get("first_id"), limit=fields["limit"])
        return Response(records.MessageWindow(window).data)


class SuggestedQuestions(WebViewSet):
    tag = "Messages"
    modes = CHAT_MODES

    @extend_schema(operation_id="getSuggestedQuestions", responses=records.QuestionsRecord)
    def list(self, request: Request, message_id: str) -> Deferred:
        message = messages.get(self.end_user, message_id)
        throttling.check_visitor(self.visit, self.ip, request, group=SMALL_CALLS)
        plan = generation.plan_questions(self.app, message)

        async def ask() -> Response:
            return Response({"data": await generation.ask_questions(plan)})

        return Deferred(ask)


class MessageFeedback(WebViewSet):
    tag = "Messages"

    @extend_schema(operation_id="sendFeedback", request=requests.FeedbackFields, responses=ResultRecord)
    def create(self, request: Request, message_id: str) -> Response:
        fields = self.body(requests.FeedbackFields)
        message = messages.get(self.end_user, message_id)
        messages.give_feedback(message, self.end_user, **fields)
        return Response(SUCCESS)


class SavedMessages(WebViewSet):
    tag = "Saved messages"
    modes = frozenset({"completion"})
    wrong_mode: ClassVar[type[DomainError]] = NotCompletionApp

    @extend_schema(operation_id="getSavedMessages", parameters=[requests.SavedListFields], responses=records.SavedWindow)
    def list(self, request: Request) -> Response:
        fields = self.query(requests.SavedListFields)
        window = saved_messages.window(self.end_user, last_id=fields.get("last_id"), limit=fields["limit"])
        return Response(records.SavedWindow(window).data)

    @extend_schema(operation_id="saveMessage", request=requests.SaveFields, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        message_id = self.body(requests.SaveFields)["message_id"]
        saved_messages.save(messages.get(self.end_user, message_id), self.end_user)
        return Response(SUCCESS)

    @extend_schema(operation_id="forgetSavedMessage", request=None, responses={204: None})
    def destroy(self, request: Request, message_id: str) -> Response:
        saved_messages.forget(message_id, self.end_user)
        return Response(status=204)


routes = [
    path("conversations", Conversations.as_view({"get": "list"})),
    path("conversations/<str:conversation_id>", Conversations.as_view({"delete": "destroy"})),
    path("conversations/<str:conversation_id>/name", Conversations.as_view({"post": "rename"})),
    path("conversations/<str:conversation_id>/pin", Conversations.as_view({"patch": "pin"})),
    path("conversations/<str:conversation_id>/unpin", Conversations.as_view({"patch": "unpin"})),
    path("messages", Messages.as_view({"get": "list"})),
    path("messages/<str:message_id>/suggested-questions", SuggestedQuestions.as_view({"get": "list"})),
    path("messages/<str:message_id>/feedbacks", MessageFeedback.as_view({"post": "create"})),
    path("saved-messages", SavedMessages.as_view({"get": "list", "post": "create"})),
    path("saved-messages/<str:message_id>", SavedMessages.as_view({"delete": "destroy"})),
]
