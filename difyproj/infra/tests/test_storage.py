"""Stored files: one conformance suite for a local folder and for any Django storage, and attacks on keys (G1)."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from difyproj.infra.storage import DjangoBackedStorage, LocalStorage, Storage, UnsafeKey, checked, get_storage
from difyproj.kernel.errors import FileNotFound

KEY = "upload_files/0c1f/report-1.final.pdf"


@pytest.fixture(params=["folder", "django memory", "django folder"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return LocalStorage(tmp_path / "files")
    backend = InMemoryStorage() if request.param == "django memory" else FileSystemStorage(location=tmp_path / "files")
    return DjangoBackedStorage(backend)


def test_bytes_come_back_as_they_went_in(storage: Storage) -> None:
    storage.save(KEY, b"\x00\xff" * 1000)
    assert storage.read(KEY) == b"\x00\xff" * 1000 and storage.exists(KEY)
    with storage.open(KEY) as file:
        assert (file.read(1), file.read(2)) == (b"\x00", b"\xff\x00")


def test_streams_and_pieces_are_taken(storage: Storage) -> None:
    storage.save("a/stream", io.BytesIO(b"x" * 3_000_000))
    storage.save("a/pieces", iter([b"one ", b"two"]))
    storage.save("a/empty", b"")
    assert (len(storage.read("a/stream")), storage.read("a/pieces"), storage.read("a/empty")) == (3_000_000, b"one two", b"")


def test_saving_again_replaces_the_bytes(storage: Storage) -> None:
    storage.save(KEY, b"a longer first version")
    storage.save(KEY, b"second")
    assert storage.read(KEY) == b"second"


def test_what_is_not_there_is_not_found_and_deleting_it_is_no_error(storage: Storage) -> None:
    assert not storage.exists(KEY)
    for look in (storage.read, storage.open):
        with pytest.raises(FileNotFound):
            look(KEY)
    storage.delete(KEY)
    storage.save(KEY, b"x")
    storage.delete(KEY)
    assert not storage.exists(KEY)


@pytest.mark.parametrize(
    "key",
    [
        "", ".", "..", "/", "/etc/passwd", "../x", "a/../x", "a/..", "a//b", "a/./b", "a/", "./a", "a\\..\\b", "..\\x",
        "C:\\x", "a\0b", "a\nb", ".hidden", "a/.partial", "~root/x", "a b", "%2e%2e/x", "a:b", "-rf", "x" * 256, "a/*",
        "/".join(["abcd"] * 300), "\ud800", "\uff0e\uff0e/x",
    ],
)  # fmt: skip
def test_a_key_that_is_no_plain_path_is_refused(key: str, storage: Storage) -> None:
    for act in (storage.read, storage.open, storage.delete, storage.exists):
        with pytest.raises(UnsafeKey):
            act(key)
    with pytest.raises(UnsafeKey):
        storage.save(key, b"x")


@given(key=st.text(alphabet=st.sampled_from("ab./\\\0~ é"), max_size=20))
def test_a_taken_key_never_leads_outside(key: str) -> None:
    try:
        taken = checked(key)
    except UnsafeKey:
        return
    path = os.path.normpath(f"/root/{taken}")
    assert path == f"/root/{key}" and path.startswith("/root/")


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"s3cr3t")
    root = tmp_path / "files"
    root.mkdir()
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "file").symlink_to(tmp_path / "outside" / "secret")
    storage = LocalStorage(root)
    for key in ("folder/secret", "file"):
        with pytest.raises(UnsafeKey):
            storage.read(key)
        with pytest.raises(UnsafeKey):
            storage.save(key, b"overwritten")
    assert (tmp_path / "outside" / "secret").read_bytes() == b"s3cr3t"


def test_a_write_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError("the upload ended")

    storage = LocalStorage(tmp_path)
    storage.save(KEY, b"old")
    with pytest.raises(ConnectionError):
        storage.save(KEY, breaking())
    assert storage.read(KEY) == b"old"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / KEY]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    versions = [bytes([number]) * 200_000 for number in range(8)]
    storage.save(KEY, versions[0])

    def write() -> None:
        for version in versions:
            storage.save(KEY, version)

    writer = Thread(target=write)
    writer.start()
    seen = [storage.read(KEY)]
    while writer.is_alive():
        seen.append(storage.read(KEY))
    writer.join()
    assert all(body in versions for body in seen)


def test_files_are_for_this_system_user_only(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "files")
    storage.save("a/b", b"x")
    assert stat.S_IMODE((tmp_path / "files" / "a" / "b").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "files" / "a").stat().st_mode) == 0o700


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.save("a/b", b"x")
    assert not storage.exists("a")
    for key in ("a", "a/b/c"):
        open_before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(FileNotFound):
            storage.read(key)
        assert len(list(Path("/proc/self/fd").iterdir())) == open_before
        storage.delete(key)
    assert storage.read("a/b") == b"x"


def test_the_installation_says_where_files_are_kept(tmp_path: Path) -> None:
    with override_settings(DIFYPROJ_VAR=tmp_path, STORAGES={}):
        get_storage().save(KEY, b"here")
    assert (tmp_path / "storage" / KEY).read_bytes() == b"here"
    backend = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "bucket"}}
    with override_settings(STORAGES={"uploads": backend}):
        get_storage().save(KEY, b"there")
        assert isinstance(get_storage(), DjangoBackedStorage)
    assert (tmp_path / "bucket" / KEY).read_bytes() == b"there"
