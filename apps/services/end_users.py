"""End users: the people behind an integrator's ``user`` strings, made on first sight."""

from __future__ import annotations

from uuid import UUID

from apps.models import App, EndUser
from difyproj.infra.cache import Cached
from difyproj.kernel import ids
from difyproj.kernel.errors import EndUserNotFound, InvalidParam
from difyproj.kernel.principal import Principal

ANONYMOUS_SESSION = "DEFAULT-USER"
MAX_SESSION_LENGTH = 255

_known: Cached[EndUser] = Cached("end_users", ttl=300.0, max_entries=20_000)
_by_id: Cached[EndUser | None] = Cached("end_users_by_id", ttl=300.0, max_entries=20_000)


def resolve(app: App, session_id: str | None, *, type: str, anonymous: bool = False) -> EndUser:
    """The end user of ``app`` named ``session_id``; without a name the app's shared anonymous one.

    ``anonymous`` says that the name was made up here and tells nobody who the person is.
    """
    session = session_id or ANONYMOUS_SESSION
    if len(session) > MAX_SESSION_LENGTH:
        raise InvalidParam(f"user must be at most {MAX_SESSION_LENGTH} characters.", params="user")
    if "\0" in session:
        raise InvalidParam("user must not contain null characters.", params="user")
    return _known.get((app.pk, type, session), lambda: _get_or_create(app, session, type, anonymous))


def _get_or_create(app: App, session: str, type: str, anonymous: bool) -> EndUser:
    anonymous = anonymous or session == ANONYMOUS_SESSION
    user, _ = EndUser.objects.get_or_create(
        app=app,
        type=type,
        session_id=session,
        defaults={"tenant_id": app.tenant_id, "is_anonymous": anonymous, "external_user_id": None if anonymous else session},
    )
    return user


def of_app(app: App, end_user_id: UUID) -> EndUser | None:
    """The app's end user of this id; no query while warm."""
    return _by_id.get((app.pk, end_user_id), lambda: EndUser.objects.filter(app=app, pk=end_user_id).first())


def get(principal: Principal, end_user_id: UUID | str) -> EndUser:
    """One end user that the principal may see. Raises EndUserNotFound."""
    key = ids.parse(end_user_id)
    user = EndUser.objects.visible_to(principal).filter(pk=key).first() if key else None
    if user is None:
        raise EndUserNotFound
    return user
