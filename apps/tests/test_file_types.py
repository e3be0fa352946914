"""What a file is taken for: its bytes where they matter, else what the caller says."""

from __future__ import annotations

import time

import pytest

from apps.services.file_types import FileType, settle

PNG, JPEG, GIF = b"\x89PNG\r\n\x1a\n" + bytes(24), b"\xff\xd8\xff\xe0" + bytes(20), b"GIF89a" + bytes(20)
PDF, ZIP, EXE = b"%PDF-1.7\n", b"PK\x03\x04" + bytes(40), b"MZ" + bytes(62)
MP3, MP4, WEBM = b"ID3\x03" + bytes(range(64)), b"\0\0\0\x18ftypmp42" + bytes(20), b"\x1aE\xdf\xa3" + bytes(20) + b"webm"
UNKNOWN = "application/octet-stream"


@pytest.mark.parametrize(
    ("head", "declared", "suffix", "kept", "extension"),
    [
        # Raster images and PDF are what they are.
        (PNG, "image/png", "png", "image/png", "png"),
        (JPEG, "image/jpeg", "jpeg", "image/jpeg", "jpeg"),
        (JPEG, "image/png", "png", "image/jpeg", "jpg"),
        (PNG, "text/plain", "txt", "image/png", "png"),
        (PNG, UNKNOWN, "", "image/png", "png"),
        (GIF + b"<script>alert(1)</script>", "text/html", "html", "image/gif", "gif"),
        (PDF, UNKNOWN, "pdf", "application/pdf", "pdf"),
        (PDF, "image/png", "png", "application/pdf", "pdf"),
        # Sound and film are ambiguous.
        (MP4, "audio/x-m4a", "m4a", "audio/x-m4a", "m4a"),
        (MP4, "video/quicktime", "mov", "video/quicktime", "mov"),
        (WEBM, "audio/webm", "webm", "audio/webm", "webm"),
        (MP3, "audio/mp3", "mp3", "audio/mp3", "mp3"),
        (MP3, "image/png", "png", "audio/mpeg", "mp3"),
        # What is no media is not taken for media.
        (b"<script>alert(1)</script>", "image/png", "png", "text/html", "html"),
        (b"\n\t <!DOCTYPE html><p>", "image/gif", "gif", "text/html", "html"),
        (b"<!-- x --><b>", "application/pdf", "pdf", "text/html", "html"),
        (b"<!-- never ends", "image/png", "png", "text/html", "html"),
        (b"\xef\xbb\xbf<html>", "audio/mpeg", "mp3", "text/html", "html"),
        ("<script>".encode("utf-16"), "image/png", "png", "text/html", "html"),
        (b"<svg onload=alert(1)>", "image/png", "png", "image/svg+xml", "svg"),
        (b"<?xml version='1.0'?><!-- x --><!DOCTYPE svg><svg>", "image/jpeg", "jpg", "image/svg+xml", "svg"),
        (b"<?xml version='1.0'?><x:html xmlns:x='y'>", "image/png", "png", "application/xhtml+xml", "xhtml"),
        (b"<?xml version='1.0'?><feed>", "video/mp4", "mp4", "application/xml", "xml"),
        (b"just words", "video/mp4", "mp4", "text/plain", "txt"),
        (ZIP, "image/png", "png", "application/zip", "zip"),
        (EXE, "image/png", "png", "application/x-msdownload", "exe"),
        (ZIP, "text/plain", "txt", "application/zip", "txt"),
        # The rest is believed.
        (b"<svg>", "image/svg+xml", "svg", "image/svg+xml", "svg"),
        (b"<html>", "text/plain", "txt", "text/plain", "txt"),
        (b"<!-- a note --># Title", "text/markdown", "md", "text/markdown", "md"),
        (b"<html>", UNKNOWN, "bin", UNKNOWN, "bin"),
        (b"a,b", "text/csv", "csv", "text/csv", "csv"),
        (b"{}", "application/json", "json", "application/json", "json"),
        (b"const a = 1", "text/x-typescript", "ts", "text/x-typescript", "ts"),
        (ZIP, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx",
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
        (b"\x01\x02\x03", "image/png", "png", "image/png", "png"),
        (b"", "image/png", "png", "image/png", "png"),
        # A name cannot borrow the limit of another kind, whatever the type.
        (b"just words", "text/plain", "mp4", "text/plain", "txt"),
        (b"just words", "text/plain", "svg", "text/plain", "txt"),
    ],
)  # fmt: skip
def test_a_file_is_what_its_bytes_say_where_it_matters(
    head: bytes, declared: str, suffix: str, kept: str, extension: str
) -> None:
    assert settle(declared=declared, suffix=suffix, head=head) == FileType(kept, extension)


def test_no_shuffling_of_marks_takes_long_or_breaks() -> None:
    for head in (b"<!--" * 2048, b"<!---->" * 1170, b"<?xml" * 1600, b"<svg" * 2048, b"\xff\xfe" + b"<\0" * 4000, bytes(8192)):
        began = time.thread_time()
        settled = settle(declared="image/png", suffix="png", head=head)
        assert time.thread_time() - began < 2.0, head[:12]
        # Marks are text, never a picture; bytes that say nothing are what was declared.
        assert (settled.mime_type == "image/png") is not any(head), head[:12]
