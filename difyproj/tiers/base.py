"""Base viewsets of the tiers: who may come in, what is visible, and which requests are refused before a view works."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from django.db import InterfaceError, OperationalError, connection
from rest_framework.parsers import BaseParser, FormParser
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import ViewSet

from apps.generation import Once
from apps.models import ApiToken, App, EndUser
from apps.services import end_users
from difyproj.infra import audit
from difyproj.kernel import logs
from difyproj.kernel.errors import DomainError, NotChatApp
from difyproj.kernel.principal import ActorKind, Principal, Tier

from . import idempotency, throttling
from .actions import AsyncAction, Deferred
from .authentication import AppTokenAuthentication
from .errors import exception_handler
from .parsers import FastJSONParser, UploadParser
from .reading import read
from .renderers import FastJSONRenderer, TierNegotiation
from .schema import ServiceSchema

CHAT_MODES = frozenset({"chat", "agent-chat", "advanced-chat"})


class Replayed(Exception):
    """The request was answered before; ``response`` is that answer."""

    def __init__(self, response: Response | Deferred) -> None:
        self.response = response


class TierViewSet(AsyncAction, ViewSet):
    """What the viewsets of all tiers share: codecs, the error shape, validated input."""

    parser_classes: Sequence[type[BaseParser]] = (FastJSONParser, FormParser, UploadParser)
    renderer_classes = (FastJSONRenderer, BrowsableAPIRenderer)
    content_negotiation_class = TierNegotiation

    def get_exception_handler(self) -> Any:
        return exception_handler

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if isinstance(request.user, Principal):
            audit.identify(request.user)

    def body(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        return read(serializer, self.request.data)

    def query(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        return read(serializer, self.request.query_params.dict())


class TokenViewSet(TierViewSet):
    """The Service API: a token is the credential.

    ``keeps_answers`` says whether a POST's answer is kept under its idempotency key; not so where the rows of a run hold the
    key, or for sound. ``repeats_safely`` lets a request whose database connection was lost run again although it is no GET.
    """

    schema = ServiceSchema()
    keeps_answers: ClassVar[bool] = True
    repeats_safely: ClassVar[bool] = False
    _held: Once | None = None

    @property
    def token(self) -> ApiToken:
        token: ApiToken = self.request.auth  # type: ignore[assignment]
        return token

    @property
    def principal(self) -> Principal:
        principal: Principal = self.request.user  # type: ignore[assignment]
        return principal

    def admit(self, request: Request) -> None:
        """Refuse whom the token does not open these routes for. Raises a DomainError."""
        throttling.check_token(self.token, request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.admit(request)
        if request.method == "POST" and self.keeps_answers:
            self._claim_key(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        held = self._held
        if held is not None and isinstance(response, Response):
            idempotency.keep(held, response)
            self._held = None
        return super().finalize_response(request, response, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, Replayed):
            return exc.response
        if isinstance(exc, OperationalError | InterfaceError):
            self.release()
        return super().handle_exception(exc)

    def _claim_key(self, request: Request) -> None:
        held = idempotency.once(request, self.principal)
        if held is None:
            return
        answered = idempotency.claim(held, self.principal)
        if answered is not None:
            raise Replayed(answered)
        self._held = held

    def release(self) -> None:
        """Free the key, so that the request may be sent again at once. A database that stays away frees it by its lapse."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(OperationalError, InterfaceError):
                connection.close_if_unusable_or_obsolete()
                idempotency.free(held)


class ServiceViewSet(TokenViewSet):
    """An app's token, and the caller's ``user`` string that names the person.

    ``modes`` are the app modes that the routes serve (None: all) and ``wrong_mode`` the refusal of others.
    """

    authentication_classes = (AppTokenAuthentication,)
    modes: ClassVar[frozenset[str] | None] = None
    wrong_mode: ClassVar[type[DomainError]] = NotChatApp

    @property
    def app(self) -> App:
        app = self.token.app
        assert app is not None  # an app token always has its app (constraint app_token_has_app)
        return app

    def end_user(self, name: str | None) -> EndUser:
        found = end_users.resolve(self.app, name, type=Tier.SERVICE)
        logs.set_context(user_id=str(found.pk))
        return found

    def principal_of(self, end_user: EndUser) -> Principal:
        return Principal(
            tenant_id=self.app.tenant_id,
            actor_kind=ActorKind.END_USER,
            actor_id=end_user.pk,
            tier=Tier.SERVICE,
            app_id=self.app.pk,
        )

    def admit(self, request: Request) -> None:
        logs.set_context(app_id=str(self.app.pk))
        super().admit(request)
        if self.modes is not None and self.app.mode not in self.modes:
            raise self.wrong_mode
