"""Pictures of accounts: ``Account.avatar`` names an upload of the account's own."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from accounts.models import Account
from apps.models import UploadFile
from difyproj.kernel import ids
from difyproj.kernel.errors import FileNotFound, UnsupportedFileType
from difyproj.kernel.principal import Principal

from . import files


def urls(accounts: Iterable[Account]) -> dict[UUID, str]:
    """Signed addresses of the accounts' pictures by account: one query where anybody has one. Nobody shows another's upload."""
    wanted = {account.pk: key for account in accounts if (key := ids.parse(account.avatar))}
    if not wanted:
        return {}
    rows = UploadFile.objects.filter(pk__in=wanted.values(), account_id__in=wanted)
    found = {(row.account_id, row.pk): row for row in rows}
    return {owner: files.signed_url(found[owner, key]) for owner, key in wanted.items() if (owner, key) in found}


def url_of(account: Account) -> str | None:
    return urls([account]).get(account.pk)


def shown(viewer: Principal, file_id: str) -> str | None:
    """A signed address of the viewer's own image, or of the picture of somebody in the same workspace."""
    row = UploadFile.objects.filter(pk=key).first() if (key := ids.parse(file_id)) else None
    if row is None or row.account_id is None:
        return None
    shared = Account.objects.filter(pk=row.account_id, avatar=str(row.pk), memberships__tenant=viewer.tenant_id)
    return files.signed_url(row) if row.account_id == viewer.actor_id or shared.exists() else None


def checked(owner: Principal, file_id: str) -> UploadFile:
    """The owner's own image of this id. Raises FileNotFound and UnsupportedFileType."""
    row = files.own(owner, [file_id]).get(str(ids.parse(file_id)))
    if row is None:
        raise FileNotFound
    if not row.mime_type.startswith("image/"):
        raise UnsupportedFileType
    return row
