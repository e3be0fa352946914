"""Text in bytes: by its mark, as stated, as UTF-8, else as it looks."""

from __future__ import annotations

import codecs
import os
import time

import pytest

from difyproj.kernel.decoding import decoded


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain", "ascii"),
        ("naïve 中文 🎈", "utf-8"),
        ("naïve 中文 🎈", "utf-8-sig"),
        ("naïve 中文", "utf-16"),
        ("naïve 中文", "utf-32"),
        ("grüße", "latin-1"),
        ("Ça va très bien, à bientôt", "cp1252"),
        ("中文,名称\nabc,1", "gb18030"),
        ("这是一个测试文件。用来检查编码。" * 3, "gb18030"),
        ("繁體中文測試文件內容", "big5"),
        ("日本語のテキストです。これはテストです", "shift_jis"),
        ("日本語のテキストです。ひらがなとカタカナ", "euc_jp"),
        ("한국어 텍스트 문서입니다. 이것은 시험입니다", "euc_kr"),
        ("Привет, как дела? Это русский текст.", "cp1251"),
    ],
)
def test_texts_of_many_places_are_read(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text


def test_what_is_stated_counts_unless_it_cannot_be() -> None:
    assert decoded("Привет".encode("koi8_r"), "koi8-r") == "Привет"
    assert decoded("ü".encode(), "ascii") == "ü"
    assert decoded(b"plain", "no-such-encoding") == "plain"
    assert decoded(codecs.BOM_UTF8 + "ü".encode(), "latin-1") == "ü"


@pytest.mark.parametrize("stated", ["hex", "zlib", "rot13", "punycode", "idna", "undefined", "../x", "a\0b", ""])
def test_what_is_no_encoding_of_documents_is_passed_over(stated: str) -> None:
    assert decoded(b"plain text", stated) == "plain text"


@pytest.mark.parametrize(
    "data", [os.urandom(5_000_000), b"\xe9" + b"a" * 5_000_000, b"a\xe9\x80" * 2_000_000, b"\xe9" * 5_000_000, b""]
)
def test_nothing_takes_long_or_fails(data: bytes) -> None:
    began = time.process_time()
    assert isinstance(decoded(data), str)
    assert time.process_time() - began < 2
