"""Whose an upload is: an end user's or an account's, through the same service; and where bytes go when rows do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from apps.models import App, DoomedBytes, EndUser, UploadFile
from apps.services import apps, files, stored_bytes
from difyproj.infra import jobs
from difyproj.infra.storage import LocalStorage, get_storage
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import FileAccessDenied, FileNotFound, UnsupportedFileType
from difyproj.kernel.principal import ActorKind, Principal, Tier
from difyproj.testing.cast import Cast, Person

from .test_file_upload import PNG


def account(person: Person) -> Principal:
    return Principal(person.tenant.pk, ActorKind.ACCOUNT, person.account.pk, Tier.CONSOLE)


def app_of(person: Person) -> App:
    return apps.create(tenant=person.tenant, name="A", mode="chat", created_by_id=person.account.pk)


def end_user(app: App, name: str = "u1", tier: Tier = Tier.WEB) -> Principal:
    row = EndUser.objects.create(tenant_id=app.tenant_id, app=app, type=tier, session_id=name)
    return Principal(app.tenant_id, ActorKind.END_USER, row.pk, tier, app_id=app.pk)


def keep(owner: Principal, content: bytes = PNG, name: str = "cat.png") -> UploadFile:
    file = SimpleUploadedFile(name, content, "text/plain" if name.endswith(".txt") else "image/png")
    return asyncio.run(files.keep(files.plan(owner=owner, file=file), file))


def test_an_accounts_upload_is_its_own_and_of_no_app(cast: Cast) -> None:
    row = keep(account(cast.alice))
    kept = UploadFile.objects.get()
    assert (kept.account_id, kept.end_user_id, kept.app_id) == (cast.alice.account.pk, None, None)
    assert (kept.tenant_id, kept.created_by_role) == (cast.alice.tenant.pk, "account")
    assert set(files.own(account(cast.alice), [str(row.pk)])) == {str(row.pk)}
    for stranger in (account(cast.bob), account(cast.eve), end_user(app_of(cast.alice))):
        assert files.own(stranger, [str(row.pk)]) == {}


def test_an_end_users_upload_is_its_own_and_of_its_app(cast: Cast) -> None:
    app = app_of(cast.alice)
    owner = end_user(app)
    row = keep(owner)
    kept = UploadFile.objects.get()
    assert (kept.end_user_id, kept.account_id, kept.app_id) == (owner.actor_id, None, app.pk)
    assert kept.created_by_role == "end_user"
    assert set(files.own(owner, [str(row.pk)])) == {str(row.pk)}
    elsewhere = Principal(cast.eve.tenant.pk, ActorKind.END_USER, owner.actor_id, Tier.WEB)
    for stranger in (end_user(app, "u2"), end_user(app, "u1", Tier.SERVICE), elsewhere, account(cast.alice)):
        assert files.own(stranger, [str(row.pk)]) == {}


def test_a_key_owns_nothing_and_uploads_nothing(cast: Cast) -> None:
    app = app_of(cast.alice)
    row = keep(end_user(app))
    key = Principal(app.tenant_id, ActorKind.APP_KEY, ids.new_id(), Tier.SERVICE, app_id=app.pk)
    assert files.own(key, [str(row.pk)]) == {}
    with pytest.raises(KeyError):
        files.plan(owner=key, file=SimpleUploadedFile("a.png", PNG, "image/png"))


def test_an_account_looks_at_files_of_its_workspace_only(cast: Cast) -> None:
    row = keep(end_user(app_of(cast.alice)))
    assert files.previewable(account(cast.bob), row.pk) == row
    for unknown in (str(row.pk) + "0", "..", "\0", ids.new_id()):
        with pytest.raises(FileNotFound):
            files.previewable(account(cast.alice), unknown)
    with pytest.raises(FileNotFound):
        files.previewable(account(cast.eve), row.pk)


def test_an_app_looks_at_files_of_its_messages_only(cast: Cast) -> None:
    row = keep(account(cast.alice))
    with pytest.raises((FileNotFound, FileAccessDenied)):
        files.previewable(end_user(app_of(cast.alice)), row.pk)


def test_a_document_is_read_at_once_and_media_are_not(cast: Cast) -> None:
    text = keep(account(cast.alice), b"Once upon a time", "a.txt")
    assert files.beginning(account(cast.alice), text.pk) == "Once upon a time"
    with pytest.raises(UnsupportedFileType):
        files.beginning(account(cast.alice), keep(account(cast.alice)).pk)
    with pytest.raises(FileNotFound):
        files.beginning(account(cast.eve), text.pk)


def due_now() -> int:
    DoomedBytes.objects.update(due_at=clock.now() - timedelta(seconds=1))
    return stored_bytes.remove_due()


def test_a_kept_file_is_not_doomed(cast: Cast) -> None:
    keep(account(cast.alice))
    assert not DoomedBytes.objects.exists()


def test_a_deleted_row_gives_up_its_bytes_once_that_is_committed(cast: Cast) -> None:
    row = keep(account(cast.alice))
    with pytest.raises(RuntimeError), transaction.atomic():
        UploadFile.objects.get().delete()
        raise RuntimeError
    assert due_now() == 0 and get_storage().exists(row.key)
    UploadFile.objects.get().delete()
    assert due_now() == 2
    assert not get_storage().exists(row.key)
    assert not DoomedBytes.objects.exists()


def test_an_app_takes_its_uploads_along_and_leaves_others(cast: Cast) -> None:
    app, other = app_of(cast.alice), app_of(cast.alice)
    gone, stays = keep(end_user(app)), keep(end_user(other))
    app.delete()
    due_now()
    assert [get_storage().exists(row.key) for row in (gone, stays)] == [False, True]


def test_the_bytes_of_a_process_that_died_are_found(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after kill -9 between the bytes and the row: nobody tidied up."""

    def die(*args: Any, **kwargs: Any) -> None:
        raise SystemError

    with monkeypatch.context() as patched:
        patched.setattr(UploadFile, "save", die)
        patched.setattr(LocalStorage, "delete", lambda *args: None)
        with pytest.raises(SystemError):
            keep(account(cast.alice))
    (doomed,) = DoomedBytes.objects.all()
    assert get_storage().exists(doomed.key)
    assert stored_bytes.remove_due() == 0
    assert due_now() == 1
    assert not get_storage().exists(doomed.key)


def test_a_row_that_comes_after_its_bytes_were_given_up_is_not_kept(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    save = LocalStorage.save

    def slow(storage: LocalStorage, key: str, content: Any) -> None:
        save(storage, key, content)
        DoomedBytes.objects.all().delete()

    monkeypatch.setattr(LocalStorage, "save", slow)
    with pytest.raises(stored_bytes.BytesGone):
        keep(account(cast.alice))
    assert not UploadFile.objects.exists()


def test_bytes_that_cannot_be_removed_stay_written_down(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    row = keep(account(cast.alice))
    UploadFile.objects.get().delete()

    def fail(*args: Any) -> None:
        raise OSError("read only")

    with monkeypatch.context() as patched:
        patched.setattr(LocalStorage, "delete", fail)
        assert due_now() == 0
    assert DoomedBytes.objects.count() == 2
    assert stored_bytes.remove_due() == 0
    assert due_now() == 2
    assert not get_storage().exists(row.key)


def test_the_job_removes_all_that_is_due(cast: Cast) -> None:
    DoomedBytes.objects.bulk_create([DoomedBytes(key=f"upload_files/x/{number}") for number in range(stored_bytes.BATCH + 5)])
    row = jobs.enqueue("apps.storage")
    assert jobs.run_waiting("apps.storage") == 1
    row.refresh_from_db()
    assert row.result == {"removed": stored_bytes.BATCH + 5}
    assert not DoomedBytes.objects.exists()


async def test_a_full_disk_is_told_in_the_missions_words(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OSError(28, "No space left on device", "/secret/path")

    monkeypatch.setattr(LocalStorage, "save", fail)
    file = SimpleUploadedFile("a.png", PNG, "image/png")
    with pytest.raises(files.FileUploadFailed) as failed:
        await files.keep(files.plan(owner=account(cast.alice), file=file), file)
    assert (failed.value.status, failed.value.message) == (500, "File upload failed")
    assert not await sync_to_async(UploadFile.objects.exists)()
