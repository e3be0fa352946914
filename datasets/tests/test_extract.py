"""Text out of documents: what each format gives, and that nothing a document holds does harm."""

from __future__ import annotations

import io
import json
import time
from contextlib import suppress

import docx
import pytest
from docx.enum.text import WD_BREAK

from datasets.rag.extract import tables
from datasets.rag.extract.base import Extracted, NeedsVision, Source, Unreadable
from datasets.rag.extract.table import FORMATS, format_of
from difyproj.testing import documents

PAGE = """<html><head><title>A  page</title><script>alert(1)</script></head><body>
<h2>News</h2><p>One <b>bold</b>
word.</p><ul><li>first</li><li>second</li></ul>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>x|y</td></tr></table>
<pre>  kept
 so</pre>tail<style>p{}</style></body></html>"""
SUBTITLES = """WEBVTT

NOTE nobody reads this

1
00:00:01.000 --> 00:00:02.000
<v Ann>Hello

00:02.000 --> 00:03.000 align:start
<v Ann>you &amp; <i>me</i>

00:00:03.000 --> 00:00:04.000
Bye
"""
WORD = "## Results\n\nBefore the table.\n\n| Name | Size |\n| --- | --- |\n| a\\|b | two lines |\n\nAfter it.\n\n- Milk"
ODS = """<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="One"><table:table-row>
<table:table-cell office:value-type="string"><text:p>Name</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>Size</text:p></table:table-cell></table:table-row><table:table-row>
<table:table-cell office:value-type="string"><text:p>a</text:p></table:table-cell>
<table:table-cell office:value-type="float" office:value="1"><text:p>1</text:p></table:table-cell></table:table-row>
</table:table></office:spreadsheet></office:body></office:document-content>"""
SHEET: list[list[str | float]] = [["Name", "Size"], ["a", 1], ["b", 2.5]]
TABLE = "| Name | Size |\n| --- | --- |\n| a | 1 |\n| b | 2.5 |"
# name: (document, text), at least one for each row of the table.
GIVEN: dict[str, tuple[bytes, str]] = {
    "a.txt": ("line\r\nzwei ü\r".encode(), "line\nzwei ü\n"),
    "a.md": (b"# Head", "# Head"),
    "a.py": (b"print(1)", "print(1)"),
    "a.xml": (b"<a>&b;</a>", "<a>&b;</a>"),
    "a.yaml": (b"a: &x [1]\nb: *x", "a: &x [1]\nb: *x"),
    "a": (b"no name", "no name"),
    "chinese.txt": ("这是一个测试文件。用来检查编码。".encode("gb18030"), "这是一个测试文件。用来检查编码。"),
    "a.json": (b'{"b":[1,"\xc3\xbc"]}', '{\n  "b": [\n    1,\n    "ü"\n  ]\n}'),
    "lines.json": (b'{"a":1}\n{"a":2}', '{"a":1}\n{"a":2}'),
    "a.csv": (b'Name,Size\na,1\nb,2.5\n', TABLE),
    "semicolons.csv": ("Name;Size\na;1\nb;2.5".encode("utf-16"), TABLE),
    "a.tsv": (b"Name\tSize\na\t1\nb\t2.5", TABLE),
    "commas.tsv": (b"a, b, c\td\n1\t2", "| a, b, c | d |\n| --- | --- |\n| 1 | 2 |"),
    "a.xlsx": (documents.sheets(One=SHEET), TABLE),
    "two.xlsx": (documents.sheets(One=SHEET, Two=[["x"]], Empty=[]), f"## One\n\n{TABLE}\n\n## Two\n\n| x |\n| --- |"),
    "a.ods": (
        documents.zipped(
            {
                "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
                "content.xml": ODS.replace("\n", " ").replace("> <", "><"),
                "META-INF/manifest.xml": '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
            }
        ),
        "| Name | Size |\n| --- | --- |\n| a | 1 |",
    ),
    "a.html": (
        PAGE.encode(),
        "## News\n\nOne bold word.\n\n- first\n- second\n\n| a | b |\n| --- | --- |\n| 1 | x\\|y |\n\n  kept\n so\n\ntail",
    ),
    "latin.htm": (b'<meta charset="iso-8859-1"><p>gr\xfc\xdfe', "grüße"),
    "a.vtt": (SUBTITLES.encode(), "Ann: Hello you & me\nBye"),
    "a.properties": (b"# note\na.b = 1\nlong = x\\\n   y\nk\\u00fc:v\\tw\nbare", "# note\na.b: 1\nlong: xy\nkü: v\tw\nbare"),
    "a.eml": (
        documents.mail(text="Hello\n", html="<p>Hi</p>"),
        "Subject: Grüße\nFrom: Ann <ann@example.com>\nTo: bob@example.com\nAttachments: bill.pdf\n\nHello",
    ),
    "page.eml": (
        documents.mail(html="<p>Hi <b>you</b></p>"),
        "Subject: Grüße\nFrom: Ann <ann@example.com>\nTo: bob@example.com\nAttachments: bill.pdf\n\nHi you",
    ),
    "a.pdf": (documents.pdf("Hello", "World"), "Hello\n\nWorld"),
    "a.docx": (documents.word(), WORD),
    "a.pptx": (
        documents.slides(("Plans", ["one", "two"]), ("End", ["Thanks"]), notes="say it slowly"),
        "## Plans\n\n- one\n- two\n\nNotes: say it slowly\n\n## End\n\nThanks",
    ),
    "a.epub": (documents.book("Tales", "<h1>One</h1><p>Once", "<h1>Two</h1><p>Twice"), "# One\n\nOnce\n\n# Two\n\nTwice"),
    "a.msg": (documents.message(subject="Grüße", sender="Ann", text="Hello\r\nyou"), "Subject: Grüße\nFrom: Ann\n\nHello\nyou"),
    "a.jsonl": (b'{"a":1}\n{"a":2}', '{"a":1}\n{"a":2}'),
    "a.srt": (b"1\n00:00:01,000 --> 00:00:02,000\nHello", "Hello"),
    "big.csv": (b'a,b\n"two\nlines",x', "| a | b |\n| --- | --- |\n| two<br>lines | x |"),
    "japanese.txt": ("これは試験です。文字コードを調べます。".encode("shift_jis"), "これは試験です。文字コードを調べます。"),
    "wide.txt": ("Plain words, without a mark".encode("utf-16-le"), "Plain words, without a mark"),
}  # fmt: skip


def source(data: bytes, name: str = "", mime_type: str = "") -> Source:
    return Source(io.BytesIO(data), len(data), name.rpartition(".")[2] if "." in name else "", mime_type)


def extracted(data: bytes, name: str, mime_type: str = "") -> Extracted:
    given = source(data, name, mime_type)
    found = FORMATS.get(format_of(given))(given)
    return Extracted(tuple(found.pages), found.title)


@pytest.mark.parametrize("name", GIVEN)
def test_documents_are_read(name: str) -> None:
    data, text = GIVEN[name]
    assert extracted(data, name).text == text


def test_every_format_is_among_them() -> None:
    assert {format_of(source(data, name)) for name, (data, _) in GIVEN.items()} == set(FORMATS) - {"image", "webpage"}


@pytest.mark.parametrize("begin", [b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "])
def test_a_picture_is_for_a_model_that_sees(begin: bytes) -> None:
    with pytest.raises(NeedsVision) as refusal:
        extracted(begin + bytes(100), "a.txt")
    assert refusal.value.mime_type.startswith("image/")


def test_a_long_e_mail_of_outlook_is_read() -> None:
    text = "A long line of text.\n" * 5000
    assert text.strip() in extracted(documents.message(subject="x", sender="Ann", text=text), "a.msg").text


def test_a_large_text_comes_in_pieces_that_end_with_lines_in_its_encoding() -> None:
    text = "Only ASCII at first.\r\n" * 300_000 + "然后是中文。\r\n" * 300_000
    given = source(text.encode("gb18030"), "large.log")
    pages = [*FORMATS.get(format_of(given))(given).pages]
    assert len(pages) > 5 and all(page.text.endswith("\n") for page in pages)
    assert Extracted(tuple(pages)).text == text.replace("\r\n", "\n")


def test_a_large_table_says_its_head_again() -> None:
    for data, name in (
        (b"Name,Size\n" + b"a,1\n" * 100_000, "a.csv"),
        (documents.sheets(One=[SHEET[0], *[SHEET[1]] * 100_000]), "a.xlsx"),
    ):
        pages = extracted(data, name).pages
        assert len(pages) > 1 and all(page.text.startswith("| Name | Size |\n| --- | --- |\n| a |") for page in pages)
        assert sum(page.text.count("| a |") for page in pages) == 100_000


def test_a_word_document_has_the_pages_that_it_was_saved_with() -> None:
    document = docx.Document()
    for at, text in enumerate(("First", "Second", "Third")):
        paragraph = document.add_paragraph()
        if at:
            paragraph.add_run().add_break(WD_BREAK.PAGE)
        paragraph.add_run(text)
    made = io.BytesIO()
    document.save(made)
    assert [(page.number, page.text) for page in extracted(made.getvalue(), "a.docx").pages] == [
        (1, "First"), (2, "Second"), (3, "Third"),
    ]  # fmt: skip


def test_pages_and_titles_are_told() -> None:
    found = extracted(documents.pdf("Hello", "World"), "a.pdf")
    assert [(page.number, page.text) for page in found.pages] == [(1, "Hello"), (2, "World")]
    assert [page.label for page in extracted(GIVEN["two.xlsx"][0], "a.xlsx").pages] == ["One", "Two"]
    assert [(page.number, page.label) for page in extracted(GIVEN["a.pptx"][0], "a.pptx").pages] == [(1, "Plans"), (2, "End")]
    assert extracted(GIVEN["a.epub"][0], "a.epub").title == "Tales"
    assert (extracted(PAGE.encode(), "a.html").title, extracted(documents.word(), "a.docx").title) == ("A page", "Report")


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx"])
@pytest.mark.parametrize("wrong", ["b.txt", "b.csv", "b.docx", "b.xlsx", "b.pdf", "b"])
def test_what_a_document_shows_counts_more_than_its_name(name: str, wrong: str) -> None:
    data, text = GIVEN[name]
    assert extracted(data, wrong, "text/plain").text == text


@pytest.mark.parametrize(("mime_type", "kind"), [("text/html; charset=x", "html"), ("message/rfc822", "eml"), ("x/y", "text")])
def test_a_type_stands_in_for_a_name(mime_type: str, kind: str) -> None:
    assert format_of(source(b"x", mime_type=mime_type)) == kind


def test_tables_are_square() -> None:
    assert tables.markdown([["a", "b", ""], ["1"], ["", ""]]) == "| a | b |\n| --- | --- |\n| 1 |  |"
    assert tables.markdown([[], [""]]) == ""


XXE = '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
LAUGHS = '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "{}">{}]>'.format(
    "ha" * 50,
    "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True)),
)
BODY = (
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    "<w:body><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:body></w:document>"
)
DEEP = "<w:body>" + "<w:tbl><w:tr><w:tc>" * 20_000
HOSTILE: dict[str, bytes] = {
    **{f"cut{at}.{name.rpartition('.')[2]}": GIVEN[name][0][: len(GIVEN[name][0]) // at]
       for name in ("a.docx", "a.xlsx") for at in (2, 10)},
    "empty.pdf": b"",
    "text.pdf": b"not a pdf at all",
    "noise.pdf": b"%PDF-1.7" + bytes(range(256)) * 100,
    "text.docx": b"not a document",
    "text.xlsx": b"not a workbook",
    "old.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    "old.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    "other.zip": documents.zipped({"a.txt": "x"}),
    "picture.txt": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20,
    "bomb.docx": documents.changed(GIVEN["a.docx"][0], "word/media/x.bin", b"\0" * 300_000_000),
    "bomb.xlsx": documents.changed(GIVEN["a.xlsx"][0], "xl/media/x.bin", b"\0" * 300_000_000),
    "laughs.docx": documents.changed(GIVEN["a.docx"][0], "word/document.xml", LAUGHS + BODY.format("&i;")),
    "broken.docx": documents.changed(GIVEN["a.docx"][0], "word/document.xml", "<w:p>"),
    "broken.xlsx": documents.changed(GIVEN["a.xlsx"][0], "xl/workbook.xml", "<sheets"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_damaged_or_a_bomb_is_refused_in_words_and_at_once(name: str) -> None:
    began = time.process_time()
    with pytest.raises(Unreadable) as refusal:
        extracted(HOSTILE[name], name)
    assert refusal.value.message
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("name", "part", "content"),
    [("a.docx", "word/document.xml", XXE + BODY.format("[&x;]")), ("a.xml", "", XXE + "<w>&x;</w>")],
)
def test_entities_reach_no_file(name: str, part: str, content: str) -> None:
    data = documents.changed(GIVEN[name][0], part, content) if part else content.encode()
    text = ""
    with suppress(Unreadable):
        text = extracted(data, name).text
    assert "root:" not in text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("deep.html", b"<div>" * 20_000 + b"x"),
        ("tables.html", b"<table><tr><td>" * 20_000 + b"x"),
        ("deep.json", b"[" * 200_000),
        ("wide.csv", b"," * 1_000_000),
        ("quotes.csv", b'"' * 1_000_001),
        ("spaces.vtt", b"WEBVTT\n\n" + b"<v " * 200_000),
        ("times.vtt", b"0:" * 500_000),
        ("slashes.properties", b"\\" * 1_000_001),
        ("lines.properties", b"a\\\n" * 400_000),
        ("heads.eml", b"Subject: x\n" * 50_000 + b"\n"),
        ("parts.eml", b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n" * 50_000),
        ("meta.html", b"<meta " * 100_000),
    ],
)
def test_endless_documents_end(name: str, data: bytes) -> None:
    began = time.process_time()
    with suppress(Unreadable, RecursionError):
        assert isinstance(extracted(data, name).text, str)
    assert time.process_time() - began < 15


def test_json_that_is_huge_stays_json() -> None:
    data = json.dumps([{"a": at} for at in range(50_000)]).encode()
    assert json.loads(extracted(data, "a.json").text)[-1] == {"a": 49_999}


@pytest.mark.parametrize("data", [b'"never closed,\n' + b"x,y\n" * 40_000, b"one column\nonly"])
def test_a_table_that_is_none_keeps_its_text(data: bytes) -> None:
    assert "only" in extracted(data, "a.csv").text or "x,y" in extracted(data, "a.csv").text
