"""Websockets of visitors: a passport in the subprotocol or the first message, from a page that the site lets call."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import re_path

from apps import generation
from apps.services import passports
from apps.services.passports import Visit
from difyproj.kernel.errors import Forbidden
from difyproj.kernel.principal import Principal
from difyproj.tiers import access_log, throttling
from difyproj.tiers.reading import read
from difyproj.tiers.sockets import TierSocket, origin_allowed

from ..questions import accepted_trace_id, generate_request
from ..sockets import AskingSocket, FollowingSocket
from . import requests


class VisitorSocket(TierSocket):
    visit: Visit

    def may_connect(self, origin: str | None) -> bool:
        """The site decides, and the passport names it."""
        return True

    def authenticate(self, token: str) -> None:
        self.visit = passports.authenticate(token)
        if not origin_allowed(self.origin, self.host, self.visit.site.cors_origins or settings.WEB_API_CORS_ALLOW_ORIGINS):
            raise Forbidden("Pages of this origin may not call this site.")

    @property
    def principal(self) -> Principal:
        return self.visit.principal


class VisitorChatSocket(VisitorSocket, AskingSocket):
    def generate(self, message: dict[str, Any]) -> tuple[Principal, UUID]:
        app, principal = self.visit.app, self.principal
        throttling.check_visitor(self.visit, access_log.address_of(self.scope))
        fields = read(requests.body_of(app.mode), message)
        asked = generate_request(fields, accepted_trace_id(fields.get("trace_id")), streaming=True)
        return principal, generation.generate(principal, app, asked)

    def asker(self, message: dict[str, Any]) -> Principal:
        return self.principal


class VisitorRunSocket(VisitorSocket, FollowingSocket):
    def follower(self, fields: dict[str, Any]) -> Principal:
        return self.principal


routes = [
    re_path(r"^api/ws/chat$", VisitorChatSocket.as_asgi()),
    re_path(r"^api/ws/runs/(?P<task_id>[^/]+)$", VisitorRunSocket.as_asgi()),
]
