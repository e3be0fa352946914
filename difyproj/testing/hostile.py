"""Files that mean harm, or were harmed: small here, large or endless for whoever trusts them. Made when they are asked for."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Final

from . import documents

ENTITY = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
LAUGHS = '<!DOCTYPE x [<!ENTITY a "{}">{}<!ENTITY e "&i;">]>'.format(
    "ha" * 50,
    "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True)),
)
_WORD = "word/document.xml"
_BODY = (
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    "<w:body><w:p><w:r><w:t>[&e;]</w:t></w:r></w:p></w:body></w:document>"
)
_SHEET = "xl/worksheets/sheet1.xml"
_CELLS = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row>'
    '<c r="A1" t="inlineStr"><is><t>[&e;]</t></is></c>{}</row></sheetData></worksheet>'
)
_SLIDE = "ppt/slides/slide1.xml"
_SHAPES = (
    '<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
    "<p:sp><p:txBody><a:p><a:r><a:t>[&e;]</a:t></a:r></a:p></p:txBody></p:sp></p:sld>"
)
_OPF = "OEBPS/content.opf"
_PACKAGE = (
    '<package xmlns="http://www.idpf.org/2007/opf"><metadata><title>[&e;]</title></metadata><manifest>'
    '<item id="c" href="{}" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="c"/></spine></package>'
)
_FAR = '<c r="XFD1048576"><v>1</v></c>'


def word() -> bytes:
    return documents.word()


def sheet() -> bytes:
    return documents.sheets(One=[["a", 1]])


def show() -> bytes:
    return documents.slides(("Title", ["one", "two"]))


def book() -> bytes:
    return documents.book("Tales", "<p>Once")


def bomb(archive: bytes, part: str, size: int = 30_000_000) -> bytes:
    """Holds a part of so many zeros, and says that they are few."""
    made = documents.changed(archive, part, b"\0" * size)
    return _sized(made, part, 100)


def claimed(archive: bytes, part: str) -> bytes:
    """Says that a part has four gigabytes."""
    return _sized(archive, part, 0xFFFFFFF0)


def overlapping() -> bytes:
    """Many names for the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_WORD, b" " * 100_000)
        archive.filelist.extend(archive.filelist * 9_000)
    return made.getvalue()


def nested(levels: int = 50) -> bytes:
    inner = documents.zipped({"a.txt": "x"})
    for _ in range(levels):
        inner = documents.zipped({"inner.zip": inner, "again.zip": inner})[:200_000]
    return inner


def many_parts() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for at in range(10_100):
            archive.writestr(zipfile.ZipInfo(f"word/{at}"), b"")
    return made.getvalue()


def pdf(objects: str, trailer: str = "") -> bytes:
    """Whatever is written in it, with no table of its objects: readers look for them."""
    return f"%PDF-1.7\n{objects}\ntrailer << /Root 1 0 R {trailer} >>\n%%EOF".encode("latin-1")


def page_tree(kids: str, count: int) -> str:
    return (
        "1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        f"2 0 obj\n<< /Type /Pages /Kids [{kids}] /Count {count} >>\nendobj\n"
        "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>\nendobj"
    )


def packed_page() -> bytes:
    """A page that is ten megabytes of drawing once it is unpacked."""
    pack = zlib.compressobj(9)
    data = b"".join(pack.compress(b"0 0 m 1 1 l S \n" * 70_000) for _ in range(10)) + pack.flush()
    head = page_tree("3 0 R", 1).replace("/MediaBox", "/Contents 4 0 R /MediaBox")
    stream = f"\n4 0 obj\n<< /Length {len(data)} /Filter /FlateDecode >>\nstream\n".encode()
    return b"%PDF-1.7\n" + head.encode() + stream + data + b"\nendstream\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF"


def circular() -> bytes:
    """A compound file whose sectors follow each other for ever."""
    data = bytearray(documents.compound(Workbook=b"x" * 5000))
    place = (struct.unpack_from("<I", data, 76)[0] + 1) * 512
    for at in range(20):
        struct.pack_into("<I", data, place + 4 * at, (at + 1) % 8)
    return bytes(data)


def multipart(levels: int = 400) -> bytes:
    head = "".join(f'Content-Type: multipart/mixed; boundary="b{at}"\n\n--b{at}\n' for at in range(levels))
    return f"Subject: deep\n{head}Content-Type: text/plain\n\nbottom".encode()


def noise(size: int = 200_000) -> bytes:
    return random.Random(7).randbytes(size)


def _sized(archive: bytes, part: str, size: int) -> bytes:
    """Another size in the archive's list for one part."""
    data = bytearray(archive)
    at = data.index(b"PK\x01\x02")
    while data[at : at + 4] == b"PK\x01\x02":
        name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
        if data[at + 46 : at + 46 + name] == part.encode():
            struct.pack_into("<I", data, at + 24, size)
        at += 46 + name + extra + comment
    return bytes(data)


PICTURE: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(1000)
LOCKED: Final = "/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O ({0}) /U ({0}) >> /ID [(a) (b)]".format("x" * 32)

# Name: what it is, or a text that is all that it may give.
FILES: Final[dict[str, Callable[[], bytes]]] = {
    "bomb.docx": lambda: bomb(word(), "word/styles.xml"),
    "bomb.xlsx": lambda: bomb(sheet(), _SHEET),
    "bomb.pptx": lambda: bomb(show(), _SLIDE),
    "bomb.epub": lambda: bomb(book(), "OEBPS/text/c 1.xhtml"),
    "claimed.docx": lambda: claimed(word(), _WORD),
    "claimed.xlsx": lambda: claimed(sheet(), _SHEET),
    "claimed.epub": lambda: claimed(book(), _OPF),
    "overlapping.docx": overlapping,
    "nested.docx": nested,
    "many_parts.docx": many_parts,
    "entity.docx": lambda: documents.changed(word(), _WORD, ENTITY + _BODY),
    "entity.xlsx": lambda: documents.changed(sheet(), _SHEET, ENTITY + _CELLS.format("")),
    "entity.pptx": lambda: documents.changed(show(), _SLIDE, ENTITY + _SHAPES),
    "entity.epub": lambda: documents.changed(book(), _OPF, ENTITY + _PACKAGE.format("text/c%201.xhtml")),
    "entity.xml": lambda: (ENTITY + "<x>&e;</x>").encode(),
    "entity.svg": lambda: (ENTITY + '<svg xmlns="http://www.w3.org/2000/svg"><text>&e;</text></svg>').encode(),
    "entity.html": lambda: (ENTITY + "<p>&e;").encode(),
    "laughs.docx": lambda: documents.changed(word(), _WORD, LAUGHS + _BODY),
    "laughs.xlsx": lambda: documents.changed(sheet(), _SHEET, LAUGHS + _CELLS.format("")),
    "laughs.pptx": lambda: documents.changed(show(), _SLIDE, LAUGHS + _SHAPES),
    "laughs.epub": lambda: documents.changed(book(), _OPF, LAUGHS + _PACKAGE.format("text/c%201.xhtml")),
    "laughs.xml": lambda: (LAUGHS + "<x>&e;</x>").encode(),
    "climbing.docx": lambda: documents.changed(word(), "../../../../tmp/climbed", "x"),
    "climbing.epub": lambda: documents.changed(book(), _OPF, _PACKAGE.format("../../../../../etc/passwd").replace("&e;", "x")),
    "climbing.pptx": lambda: documents.changed(
        show(),
        "ppt/_rels/presentation.xml.rels",
        '<Relationships><Relationship Id="r1" Target="/../../../../etc/passwd"/></Relationships>',
    ),
    "elsewhere.docx": lambda: documents.changed(
        word(),
        "_rels/.rels",
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
        'Target="file:///etc/passwd" TargetMode="External"/></Relationships>',
    ),
    "macros.docm": lambda: documents.changed(word(), "word/vbaProject.bin", b"Auto_Open"),
    "macros.xlsm": lambda: documents.changed(sheet(), "xl/vbaProject.bin", b"Auto_Open"),
    "far.xlsx": lambda: documents.changed(sheet(), _SHEET, _CELLS.replace("[&e;]", "x").format(_FAR)),
    "cut.docx": lambda: word()[:-400],
    "cut.pdf": lambda: documents.pdf("Hello")[:200],
    "locked.pdf": lambda: pdf(page_tree("3 0 R", 1), LOCKED),
    "circle.pdf": lambda: pdf(page_tree("2 0 R 2 0 R", 9)),
    "endless.pdf": lambda: pdf(page_tree("3 0 R", 2_000_000_000)),
    "many.pdf": lambda: pdf(page_tree("3 0 R " * 20_000, 20_000)),
    "packed.pdf": packed_page,
    "deep.pdf": lambda: pdf("1 0 obj\n" + "[" * 200_000 + "\nendobj"),
    "loop.pdf": lambda: pdf(page_tree("3 0 R", 1), "/Prev 9 /XRefStm 9") + b"\nstartxref\n9\n%%EOF",
    "noise.pdf": lambda: b"%PDF-1.7\n" + noise(),
    "picture.pdf": lambda: PICTURE,
    "locked.docx": lambda: documents.compound(EncryptionInfo=b"x", EncryptedPackage=b"x" * 5000),
    "old.doc": lambda: documents.compound(WordDocument=b"x" * 5000),
    "circular.xls": circular,
    "cut.msg": lambda: documents.message(subject="a", sender="b", text="c")[:1000],
    "program.txt": lambda: b"\x7fELF\x02\x01\x01" + bytes(9) + noise(),
    "packed.txt": lambda: zlib.compress(b"a" * 100_000),
    "empty.txt": lambda: b"",
    "zeros.txt": lambda: bytes(1_000_000),
    "broken.txt": lambda: b"text \xff\xfe\xfd\xfc " * 10_000,
    "line.txt": lambda: b"x" * 100_000_000,
    "deep.html": lambda: b"<div>" * 15_000 + b"x",
    "attributes.html": lambda: b"<p " + b" a=b" * 300_000 + b">x",
    "wide.csv": lambda: b"," * 1_000_000,
    "quotes.csv": lambda: b'"' * 1_000_001,
    "deep.json": lambda: b"[" * 500_000,
    "deep.eml": multipart,
    "heads.eml": lambda: b"Subject: x\n" * 50_000 + b"\nbody",
    "cues.vtt": lambda: b"WEBVTT\n\n" + b"<v " * 200_000,
}
