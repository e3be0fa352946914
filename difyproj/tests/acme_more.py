"""More of everything that Alice has, so that a statement per row would show in what a list costs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import UUID

from accounts.models import ModelSetting, Tag
from accounts.models.tag import TagType
from accounts.policies import Role
from accounts.services import accounts, credentials, sessions, tags, tenants
from apps.models import (
    Annotation,
    AnnotationHit,
    App,
    Conversation,
    EndUser,
    Feedback,
    Message,
    MessageFile,
    PinnedConversation,
    Run,
    SavedMessage,
    UploadFile,
)
from apps.models.token import TokenKind
from apps.services import app_stars, end_users, passports, tokens
from apps.services import tags as app_tags
from difyproj.testing.served import PROVIDER, Served, make_app

from . import acme_datasets, acme_flows
from .acme import OTHER_MODEL, VISITOR

_numbers = count()


def add(house: Served, ids: Mapping[str, str], times: int) -> None:
    """So many more rows of every kind that a list shows. In a thread of the database."""
    for _ in range(times):
        _add_people_and_models(house)
        _add_app(house)
        for key in (house.chat, house.completion):
            _add_talk(house, key.app, ids)
        acme_flows.add(house, ids)
        if "dataset_id" in ids:
            acme_datasets.add(house.cast.alice, ids)


def _add_people_and_models(house: Served) -> None:
    alice, number = house.cast.alice, next(_numbers)
    account = accounts.create(email=f"m{number}@acme.example", name=f"Member {number}")
    tenants.add_member(tenant=alice.tenant, account=account, role=Role.DATASET_OPERATOR, invited_by=alice.account)
    tenants.create(name=f"Other {number}", owner=account)
    sessions.open(alice.account, method="test")
    owned: dict[str, Any] = {"tenant": alice.tenant, "provider": PROVIDER, "values": {"openai_api_key": f"sk-{number:020}"}}
    credentials.create(**owned, name=f"more {number}")
    credentials.create(**owned, name=f"own {number}", model_type="llm", model=OTHER_MODEL)
    credentials.create(**owned, name="only", model_type="llm", model=f"private-{number}")
    ModelSetting.objects.create(tenant=alice.tenant, provider=PROVIDER, model_type="llm", model=f"private-{number}")


def _add_app(house: Served) -> None:
    alice, number = house.cast.alice, next(_numbers)
    tag: Tag = tags.create(principal=alice.principal, type=TagType.APP, name=f"Tag {number}", created_by=alice.account)
    app = make_app(alice, "chat").app
    for bound in (app, house.chat.app):
        app_tags.bind(principal=alice.principal, tag_ids=[tag.pk], type=TagType.APP, target_id=bound.pk)
    app_stars.add(alice.principal, app)
    tokens.create(tenant=alice.tenant, app=house.chat.app, kind=TokenKind.APP)
    tokens.create(tenant=alice.tenant, kind=TokenKind.DATASET)


def _add_talk(house: Served, app: App, ids: Mapping[str, str]) -> None:
    """A conversation of somebody new, one of the visitor's, and another message in each of the known ones."""
    number = next(_numbers)
    owned: dict[str, Any] = {"tenant": app.tenant, "app": app}
    stranger = EndUser.objects.create(**owned, type="service-api", session_id=f"user-{number}")
    visitor = end_users.resolve(app, VISITOR, type=passports.VISITOR_TYPE)
    known = Conversation.objects.filter(app=app, pk__in=[value for name, value in ids.items() if "conversation_id" in name])
    for user, tier in ((stranger, "service-api"), (visitor, "web-app")):
        talk = Conversation.objects.create(**owned, end_user=user, mode=app.mode, tier=tier, name=f"Talk {number}")
        message = _add_message(talk, number, end_user=user)
        if tier == "web-app":
            PinnedConversation.objects.create(app=app, end_user=user, conversation=talk)
            SavedMessage.objects.create(app=app, end_user=user, message=message)
    for talk in known:
        _add_message(talk, number, end_user_id=talk.end_user_id, account_id=talk.account_id)


def _add_message(talk: Conversation, number: int, **asker: Any) -> Message:
    owned: dict[str, Any] = {"tenant": talk.tenant, "app": talk.app}
    run = Run.objects.create(**owned, **asker, mode=talk.mode, tier=talk.tier, status="succeeded")
    message = Message.objects.create(
        **owned, **asker, conversation=talk, run=run, tier=talk.tier, query=f"Question {number}", answer="Yes."
    )
    row = UploadFile.objects.create(
        **owned, **asker, key=f"upload_files/{run.pk}", name="a.png", size=1, mime_type="image/png", hash="0" * 64
    )
    MessageFile.objects.create(message=message, type="image", transfer_method="local_file", upload_file=row)
    rated: dict[str, Any] = {**owned, "conversation": talk, "message": message, "rating": "like"}
    Feedback.objects.create(**rated, **asker)
    Feedback.objects.create(**rated, from_source="admin", account_id=UUID(int=number))
    noted = Annotation.objects.create(**owned, conversation=talk, message=message, question=f"Q {number}", content="A")
    for annotation in (noted, Annotation.objects.filter(app=talk.app, message=None).first()):
        if annotation is not None:
            AnnotationHit.objects.create(
                **owned, annotation=annotation, message=message, question="Q", source="api",
                annotation_question="Q", annotation_content="A",
            )  # fmt: skip
    return message
