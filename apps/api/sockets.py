"""Websockets of the apps room: ask a question and follow a run, with the same principals and records as over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path

from apps import generation
from apps.models import ApiToken
from apps.models.token import TokenKind
from apps.services import end_users, tokens
from difyproj.infra import db
from difyproj.kernel import ids
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.principal import ActorKind, Principal, Tier
from difyproj.tiers import throttling
from difyproj.tiers.reading import read
from difyproj.tiers.sockets import TierSocket, query_of

from . import requests
from .questions import accepted_trace_id, generate_request, published


class AppSocket(TierSocket):
    """A socket opened with an app's API token."""

    row: ApiToken

    def authenticate(self, token: str) -> None:
        self.row = tokens.authenticate(token, kind=TokenKind.APP)

    def principal_of(self, user: str | None) -> Principal:
        app = self.row.app
        assert app is not None  # an app token always has its app (constraint app_token_has_app)
        end_user = end_users.resolve(app, user, type=Tier.SERVICE)
        return Principal(app.tenant_id, ActorKind.END_USER, end_user.pk, Tier.SERVICE, app.pk)


class AskingSocket(TierSocket):
    """``{"action": "send", ...}`` with the fields of the POST, ``{"action": "stop", "task_id": ...}``."""

    def generate(self, message: dict[str, Any]) -> tuple[Principal, UUID]:
        """Who asked, and the run that began. In a thread of the database."""
        raise NotImplementedError

    def asker(self, message: dict[str, Any]) -> Principal:
        """Who sent the message."""
        raise NotImplementedError

    async def perform(self, message: dict[str, Any]) -> None:
        action = message.get("action", "send")
        if action == "send":
            principal, run_id = await db.run(self.generate, message)
            self.follow(await generation.subscribe(principal, run_id))
        elif action == "stop":
            await db.run(self._stop, message)
            await self.send_json({"event": "stop", "result": "success"})
        else:
            raise InvalidParam("action must be send or stop.", params="action")

    def _stop(self, message: dict[str, Any]) -> None:
        principal, key = self.asker(message), ids.parse(message.get("task_id"))
        if key is not None:
            generation.stop(principal, key)


class FollowingSocket(TierSocket):
    """Follows one run from ``?after=`` to its end."""

    def follower(self, fields: dict[str, Any]) -> Principal:
        """Who follows; ``fields`` are those of the address. In a thread of the database."""
        raise NotImplementedError

    async def begin(self) -> None:
        fields = read(requests.AfterFields, query_of(self.scope))
        key = ids.parse(self.scope["url_route"]["kwargs"]["task_id"])
        if key is None:
            raise generation.RunNotFound
        principal = await db.run(self.follower, fields)
        self.follow(await generation.subscribe(principal, key, after=fields["after"]), then_close=True)

    async def perform(self, message: dict[str, Any]) -> None:
        raise InvalidParam("This socket only sends.")


class ChatSocket(AppSocket, AskingSocket):
    """Every message names its ``user``."""

    def generate(self, message: dict[str, Any]) -> tuple[Principal, UUID]:
        app = self.row.app
        assert app is not None
        throttling.check_token(self.row)
        fields = read(requests.body_of(app.mode), message)
        target = published(fields.get("workflow_id")) if app.mode == "advanced-chat" else generation.PUBLISHED
        principal = self.principal_of(fields["user"])
        asked = generate_request(fields, accepted_trace_id(fields.get("trace_id")), streaming=True, target=target)
        return principal, generation.generate(principal, app, asked)

    def asker(self, message: dict[str, Any]) -> Principal:
        return self.principal_of(read(requests.UserFields, message)["user"])


class RunSocket(AppSocket, FollowingSocket):
    """``?user=`` names who asked; without it the key's authority counts."""

    def follower(self, fields: dict[str, Any]) -> Principal:
        if fields.get("user"):
            return self.principal_of(fields["user"])
        return Principal(self.row.tenant_id, ActorKind.APP_KEY, self.row.pk, Tier.SERVICE, self.row.app_id)


class NoSuchSocket(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.close(code=4404)


routes = [
    re_path(r"^ws/chat$", ChatSocket.as_asgi()),
    re_path(r"^ws/runs/(?P<task_id>[^/]+)$", RunSocket.as_asgi()),
    re_path(r"", NoSuchSocket.as_asgi()),
]
