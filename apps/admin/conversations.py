"""What was said: conversations with their messages, and what people thought of the answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery, prefetch_related_objects
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.models import Conversation, Feedback, Message
from difyproj.tiers.admin import NOTHING, as_written, document
from difyproj.tiers.admin_records import BY_APP, BY_TENANT, Record, TierFilter, address, link, list_address, seconds, short

STATUS_COLOURS = {"normal": "success", "completed": "info", "error": "danger"}
RATING_COLOURS = {"like": "success", "dislike": "danger"}
MESSAGES_SHOWN = 50


def question_of(message: Message) -> str:
    """What was asked: the values that were given, where an app has no question of its own."""
    return message.query or ", ".join(str(value) for value in message.inputs.values())


@admin.register(Conversation)
class ConversationAdmin(Record):
    empty_text = "Conversations appear here when a chat app is asked its first question."
    list_display = ("title", "app", "tenant", "end_user", "message_count", "shown_status", "removed", "updated_at")
    list_filter = (BY_TENANT, BY_APP, ("status", ChoicesDropdownFilter), TierFilter, "is_deleted")
    search_fields = ("name", "end_user__session_id")
    search_help_text = "Name, user or any id"
    id_fields = ("pk", "app_id", "end_user_id")
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": ("transcript",)}),
        ("Details", {"fields": (("app", "tenant"), ("end_user", "tier"), ("status", "removed"), "opening")}),
        ("Variables", {"fields": ("shown_inputs",)}),
        ("Identity", {"fields": ("id", ("created_at", "updated_at"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        own = Message.objects.filter(conversation=OuterRef("pk")).order_by().values("conversation")
        total = Coalesce(Subquery(own.annotate(total=Count("pk")).values("total")), 0)
        rows: QuerySet[Conversation] = super().get_queryset(request).annotate(message_total=total)
        return rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """With its newest messages, one more than are shown: read once, however often the page asks for its fields."""
        found: Any = super().get_object(request, object_id, from_field)
        if found is not None:
            said = Message.objects.for_tenant(found.tenant_id).filter(conversation=found).order_by("-created_at", "-id")
            found.newest = list(said.select_related("run").prefetch_related("feedbacks", "files")[: MESSAGES_SHOWN + 1])
        return found

    @display(description="Name", ordering="name")
    def title(self, obj: Conversation) -> str:
        return short(obj.name, 60) or str(obj.pk)

    @display(description="Messages", ordering="message_total")
    def message_count(self, obj: Any) -> int:
        return int(obj.message_total)

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, obj: Conversation) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description="Deleted")
    def removed(self, obj: Conversation) -> str:
        return "by its user" if obj.is_deleted else NOTHING

    @display(description="Opening statement")
    def opening(self, obj: Conversation) -> str:
        return as_written(obj.introduction)

    @display(description="Values given with the first question")
    def shown_inputs(self, obj: Conversation) -> str:
        return document(obj.inputs)

    @display(description="Messages")
    def transcript(self, obj: Any) -> str:
        """The newest messages, oldest first."""
        found = obj.newest
        shown = [(message, question_of(message), address(message)) for message in reversed(found[:MESSAGES_SHOWN])]
        more = list_address(Message, conversation__id__exact=obj.pk) if len(found) > MESSAGES_SHOWN else ""
        return render_to_string("admin/apps/transcript.html", {"messages": shown, "more": more, "limit": MESSAGES_SHOWN})


@admin.register(Message)
class MessageAdmin(Record):
    empty_text = "Each question and its answer appear here, also while the answer is still being written."
    list_display = ("question", "app", "end_user", "shown_status", "model_name", "tokens", "price", "took", "created_at")
    list_filter = (BY_TENANT, BY_APP, ("status", ChoicesDropdownFilter), TierFilter)
    search_fields = ("query", "answer", "end_user__session_id")
    search_help_text = "Words, user or any id"
    id_fields = ("pk", "conversation_id", "run_id", "app_id", "end_user_id")
    related = ("tenant", "app", "end_user", "conversation", "run")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    fieldsets = (
        (None, {"fields": ("asked", "answered", ("status", "shown_error"))}),
        ("Cost", {"fields": (("shown_model", "tokens"), ("price", "took"))}),
        ("Around it", {"fields": (("conversation", "shown_run"), "shown_files", "shown_feedback")}),
        ("Details", {"fields": (("app", "tenant"), ("end_user", "tier"))}),
        ("As sent", {"fields": ("shown_inputs", "shown_metadata")}),
        ("Identity", {"fields": (("id", "parent_message_id"), ("created_at", "updated_at"))}),
    )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """With its files and feedback: read once, however often the page asks for its fields."""
        found: Any = super().get_object(request, object_id, from_field)
        if found is not None:
            prefetch_related_objects([found], "files__upload_file", "feedbacks")
        return found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "conversation__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description="Question", ordering="query")
    def question(self, obj: Message) -> str:
        return short(question_of(obj), 60) or str(obj.pk)

    @display(description="Question")
    def asked(self, obj: Message) -> str:
        return as_written(obj.query)

    @display(description="Answer")
    def answered(self, obj: Message) -> str:
        return as_written(obj.answer)

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, obj: Message) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description="Error")
    def shown_error(self, obj: Message) -> str:
        return as_written(obj.error)

    @display(description="Model")
    def shown_model(self, obj: Message) -> str:
        return f"{obj.model_provider} / {obj.model_name}" if obj.model_name else NOTHING

    @display(description="Tokens in + out")
    def tokens(self, obj: Message) -> str:
        return f"{obj.message_tokens} + {obj.answer_tokens}"

    @display(description="Price", ordering="total_price")
    def price(self, obj: Message) -> str:
        return NOTHING if obj.total_price is None else f"{obj.total_price.normalize():f}\N{NO-BREAK SPACE}{obj.currency}"

    @display(description="Took", ordering="latency")
    def took(self, obj: Message) -> str:
        return seconds(obj.latency)

    @display(description="Run")
    def shown_run(self, obj: Message) -> str:
        return NOTHING if obj.run is None else link(obj.run, f"{obj.run.get_status_display()} ({obj.run_id})")

    @display(description="Files")
    def shown_files(self, obj: Message) -> str:
        return _list((file.type, link(file.upload_file) if file.upload_file else file.url, "") for file in obj.files.all())

    @display(description="Feedback")
    def shown_feedback(self, obj: Message) -> str:
        given = obj.feedbacks.all()
        return _list((row.get_from_source_display(), link(row, row.get_rating_display()), row.content or "") for row in given)

    @display(description="Values")
    def shown_inputs(self, obj: Message) -> str:
        return document(obj.inputs)

    @display(description="Metadata")
    def shown_metadata(self, obj: Message) -> str:
        return document(obj.metadata)


def _list(lines: Iterable[tuple[str, str, str]]) -> str:
    shown = format_html_join("", "<li>{}: {} {}</li>", lines)
    return format_html("<ul>{}</ul>", shown) if shown else NOTHING


@admin.register(Feedback)
class FeedbackAdmin(Record):
    empty_text = "Likes and dislikes that people give to answers appear here."
    list_display = ("shown_rating", "comment", "about", "app", "from_source", "end_user", "created_at")
    list_filter = (BY_TENANT, BY_APP, ("rating", ChoicesDropdownFilter), ("from_source", ChoicesDropdownFilter))
    search_fields = ("content", "message__query")
    search_help_text = "Words or any id"
    id_fields = ("pk", "message_id", "conversation_id", "app_id", "end_user_id")
    related = ("tenant", "app", "end_user", "message", "conversation")
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": ("rating", "shown_content", "message", "conversation")}),
        ("Details", {"fields": (("app", "tenant"), ("end_user", "from_source"))}),
        ("Identity", {"fields": ("id", ("created_at", "updated_at"))}),
    )

    @display(description="Rating", ordering="rating", label=RATING_COLOURS)
    def shown_rating(self, obj: Feedback) -> tuple[str, str]:
        return obj.rating, obj.get_rating_display()

    @display(description="Comment")
    def comment(self, obj: Feedback) -> str:
        return short(obj.content or "", 60) or NOTHING

    @display(description="Comment")
    def shown_content(self, obj: Feedback) -> str:
        return as_written(obj.content)

    @display(description="Question")
    def about(self, obj: Feedback) -> str:
        return short(question_of(obj.message), 60) or str(obj.message_id)
