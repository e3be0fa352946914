"""Conversations of an end user and the messages in them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.services import conversations, messages
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import CHAT_MODES, ServiceViewSet
from workflows.services import conversation_variables

from .. import records, requests

UPDATE: dict[str, Any] = {"request": requests.VariableFields, "responses": records.VariableRecord}


class Conversations(ServiceViewSet):
    tag = "Conversations"
    modes = CHAT_MODES

    @extend_schema(
        operation_id="getConversations", parameters=[requests.ConversationListFields], responses=records.ConversationWindow
    )
    def list(self, request: Request) -> Response:
        fields = self.query(requests.ConversationListFields)
        window = conversations.window(
            self.end_user(fields.get("user")), last_id=fields.get("last_id"), limit=fields["limit"], sort_by=fields["sort_by"]
        )
        return Response(records.ConversationWindow(window).data)

    @extend_schema(operation_id="deleteConversation", request=requests.OptionalUserFields, responses={204: None})
    def destroy(self, request: Request, conversation_id: str) -> Response:
        end_user = self.end_user(self.body(requests.OptionalUserFields).get("user"))
        conversations.delete(conversations.get(end_user, conversation_id))
        return Response(status=204)

    @extend_schema(operation_id="renameConversation", request=requests.RenameFields, responses=records.ConversationRecord)
    def rename(self, request: Request, conversation_id: str) -> Response | Deferred:
        fields = self.body(requests.RenameFields)
        end_user = self.end_user(fields.get("user"))
        row = conversations.get(end_user, conversation_id)
        if not fields["auto_generate"]:
            return Response(records.ConversationRecord(conversations.rename(row, name=fields.get("name") or "")).data)
        plan = generation.plan_title(self.app, row)

        async def name() -> Response:
            return Response(records.ConversationRecord(await generation.write_title(plan)).data)

        return Deferred(name)


class ConversationVariables(ServiceViewSet):
    """What a chatflow remembers of a conversation. Other chat apps keep no variables: their list is empty."""

    tag = "Conversations"
    about = "What a chatflow remembers of a conversation. Other chat apps keep no variables: their list is empty."
    modes = CHAT_MODES

    @extend_schema(
        operation_id="getConversationVariables", parameters=[requests.VariableListFields], responses=records.VariableWindow
    )
    def list(self, request: Request, conversation_id: str) -> Response:
        fields = self.query(requests.VariableListFields)
        conversation = conversations.get(self.end_user(fields.get("user")), conversation_id)
        window = conversation_variables.window(
            conversation, last_id=fields.get("last_id"), limit=fields["limit"], variable_name=fields.get("variable_name")
        )
        return Response(records.VariableWindow(window).data)

    @extend_schema(methods=["PUT"], operation_id="updateConversationVariable", **UPDATE)
    @extend_schema(methods=["PATCH"], operation_id="patchConversationVariable", **UPDATE)
    def update(self, request: Request, conversation_id: str, variable_id: str) -> Response:
        fields = self.body(requests.VariableFields)
        conversation = conversations.get(self.end_user(fields.get("user")), conversation_id)
        row = conversation_variables.update(conversation, variable_id, value=fields["value"])
        return Response(records.VariableRecord(row).data)


class Messages(ServiceViewSet):
    tag = "Conversations"
    modes = CHAT_MODES

    @extend_schema(
        operation_id="getConversationHistory", parameters=[requests.MessageListFields], responses=records.MessageWindow
    )
    def list(self, request: Request) -> Response:
        fields = self.query(requests.MessageListFields)
        conversation = conversations.get(self.end_user(fields.get("user")), fields["conversation_id"])
        window = messages.window(conversation, first_id=fields.get("first_id"), limit=fields["limit"])
        return Response(records.MessageWindow(window).data)


class SuggestedQuestions(ServiceViewSet):
    tag = "Chat Messages"
    modes = CHAT_MODES

    @extend_schema(operation_id="getSuggestedQuestions", parameters=[requests.UserFields], responses=records.QuestionsRecord)
    def list(self, request: Request, message_id: str) -> Deferred:
        message = messages.get(self.end_user(self.query(requests.UserFields)["user"]), message_id)
        plan = generation.plan_questions(self.app, message)

        async def ask() -> Response:
            return Response({"result": "success", "data": await generation.ask_questions(plan)})

        return Deferred(ask)


class MessageFeedback(ServiceViewSet):
    tag = "Feedback"

    @extend_schema(operation_id="postMessageFeedback", request=requests.FeedbackFields, responses=records.ResultRecord)
    def create(self, request: Request, message_id: str) -> Response:
        fields = self.body(requests.FeedbackFields)
        end_user = self.end_user(fields["user"])
        message = messages.get(end_user, message_id)
        messages.give_feedback(message, end_user, rating=fields["rating"], content=fields["content"])
        return Response(records.SUCCESS)


class AppFeedbacks(ServiceViewSet):
    tag = "Feedback"

    @extend_schema(operation_id="getAppFeedbacks", parameters=[requests.FeedbackListFields], responses=records.FeedbackList)
    def list(self, request: Request) -> Response:
        fields = self.query(requests.FeedbackListFields)
        rows = messages.feedbacks(self.app, page=fields["page"], limit=fields["limit"])
        return Response({"data": records.FeedbackRecord(rows, many=True).data})
