"""Small documents of every format, made here."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage

import docx

XLSX_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>{sheets}</Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def pdf(*pages: str) -> bytes:
    """Each page has one line of text."""
    return drawn_pdf(*(shown((72, 720, text)) for text in pages))


def shown(*texts: tuple[float, float, str], size: float = 12) -> str:
    """Draws texts at places, as a page counts them: from its lower left corner."""
    return " ".join(f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET" for x, y, text in texts)


def drawn_pdf(*pages: str, title: str = "", extra: str = "") -> bytes:
    """Pages of what is drawn on them; ``extra`` goes into each page's dictionary."""
    kids = " ".join(f"{5 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Title ({title}) >>",
    ]
    for at, stream in enumerate(pages):
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {6 + 2 * at} 0 R {extra} "
            "/Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    made, places = bytearray(b"%PDF-1.4\n"), []
    for number, text in enumerate(objects, start=1):
        places.append(len(made))
        made += f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{len(made)}\n%%EOF"
    return bytes(made) + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def word() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Report"
    document.add_heading("Results", level=2)
    document.add_paragraph("Before the table.")
    table = document.add_table(rows=2, cols=2)
    for at, text in enumerate(("Name", "Size", "a|b", "two\nlines")):
        table.cell(at // 2, at % 2).text = text
    document.add_paragraph("After it.")
    document.add_paragraph("Milk", style="List Bullet")
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()


def sheets(**named: Sequence[Sequence[str | float]]) -> bytes:
    """A workbook with a sheet for each name."""
    parts = {"_rels/.rels": _relations([("r1", "officeDocument", "xl/workbook.xml")])}
    listed = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, name in enumerate(named, start=1))
    parts["xl/workbook.xml"] = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
    targets = [(f"r{at}", "worksheet", f"worksheets/sheet{at}.xml") for at in range(1, len(named) + 1)]
    parts["xl/_rels/workbook.xml.rels"] = _relations(targets)
    for at, rows in enumerate(named.values(), start=1):
        lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
        parts[f"xl/worksheets/sheet{at}.xml"] = f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
    names = "".join(
        f'<Override PartName="/xl/worksheets/sheet{at}.xml" ContentType="{kind}"/>' for at in range(1, len(named) + 1)
    )
    return zipped({"[Content_Types].xml": XLSX_TYPES.format(sheets=names), **parts})


def zipped(parts: dict[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


def changed(archive: bytes, part: str, content: str | bytes) -> bytes:
    """The archive with one part replaced."""
    with zipfile.ZipFile(io.BytesIO(archive)) as given:
        parts: dict[str, str | bytes] = {name: given.read(name) for name in given.namelist()}
    return zipped({**parts, part: content})


def mail(*, html: str = "", text: str = "") -> bytes:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = "Grüße", "Ann <ann@example.com>", "bob@example.com"
    if text:
        made.set_content(text)
    if html:
        made.add_alternative(html, subtype="html")
    made.add_attachment(b"x", maintype="application", subtype="pdf", filename="bill.pdf")
    return bytes(made)


def _relations(rows: Sequence[tuple[str, str, str]]) -> str:
    listed = "".join(f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>' for name, kind, target in rows)
    return f'<Relationships xmlns="{_PACKAGE}">{listed}</Relationships>'


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def slides(*told: tuple[str, Sequence[str]], notes: str = "") -> bytes:
    """A presentation: a title and points for each slide; ``notes`` belong to the first one."""
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    spaces = f'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="{drawing}" xmlns:r="{_OFFICE}"'
    numbers = range(1, len(told) + 1)
    listed = "".join(f'<p:sldId id="{255 + at}" r:id="r{at}"/>' for at in numbers)
    parts: dict[str, str | bytes] = {
        "ppt/presentation.xml": f"<p:presentation {spaces}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relations([(f"r{at}", "slide", f"slides/slide{at}.xml") for at in numbers]),
    }

    def shape(kind: str, texts: Sequence[str]) -> str:
        lines = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in texts)
        return f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody>{lines}</p:txBody></p:sp>'

    for at, (title, points) in zip(numbers, told, strict=True):
        parts[f"ppt/slides/slide{at}.xml"] = f"<p:sld {spaces}>{shape('title', [title])}{shape('body', points)}</p:sld>"
    if notes:
        parts["ppt/slides/_rels/slide1.xml.rels"] = _relations([("r1", "notesSlide", "../notesSlides/notesSlide1.xml")])
        parts["ppt/notesSlides/notesSlide1.xml"] = f"<p:notes {spaces}>{shape('body', [notes])}</p:notes>"
    return zipped(parts)


def book(title: str, *chapters: str) -> bytes:
    """An EPUB of chapters, which are HTML."""
    numbers = range(1, len(chapters) + 1)
    items = "".join(f'<item id="c{at}" href="text/c%20{at}.xhtml" media-type="application/xhtml+xml"/>' for at in numbers)
    spine = "".join(f'<itemref idref="c{at}"/>' for at in numbers)
    return zipped(
        {
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>',
            "OEBPS/content.opf": '<package xmlns="http://www.idpf.org/2007/opf"><metadata '
            f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
            f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
            **{f"OEBPS/text/c {at}.xhtml": chapter for at, chapter in zip(numbers, chapters, strict=True)},
        }
    )


def compound(**streams: bytes) -> bytes:
    """A compound file (OLE2) whose root holds the streams: small ones in small sectors, as Office writes them."""
    end, none = 0xFFFFFFFE, 0xFFFFFFFF
    sectors = _Sectors()
    small, small_table, places = b"", list[int](), dict[str, int]()
    for name, data in streams.items():
        if len(data) >= 4096:
            places[name] = sectors.put(data)
        else:
            count = -(-len(data) // 64)
            places[name] = len(small_table) if count else end
            small_table += [*range(len(small_table) + 1, len(small_table) + count), end][:count]
            small += data.ljust(count * 64, b"\0")
    small_start = sectors.put(small) if small else end
    small_list = sectors.put(struct.pack(f"<{len(small_table)}I", *small_table), b"\xff") if small else end

    def entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
        wide = name.encode("utf-16-le") + b"\0\0"
        head = wide.ljust(64, b"\0") + struct.pack("<HBBIII", len(wide), kind, 1, none, right, child)
        return head + bytes(36) + struct.pack("<IQ", start, size)

    entries = entry("Root Entry", 5, none, 1 if streams else none, small_start, len(small))
    for at, (name, data) in enumerate(streams.items(), start=2):
        entries += entry(name, 2, at if at <= len(streams) else none, none, places[name], len(data))
    directory = sectors.put(entries)
    listed, body = sectors.listed()
    numbers = [*listed, *[none] * 109][:109]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6)
    header += bytes(10) + struct.pack("<IIIIIIII", len(listed), directory, 0, 4096, small_list, int(bool(small)), end, 0)
    return header + struct.pack("<109I", *numbers) + body


class _Sectors:
    """The large sectors of a compound file, and which follows which."""

    SIZE = 512

    def __init__(self) -> None:
        self._table: list[int] = []
        self._body = b""

    def put(self, data: bytes, filler: bytes = b"\0") -> int:
        start, count = len(self._table), -(-len(data) // self.SIZE)
        self._table += [*range(start + 1, start + count), 0xFFFFFFFE]
        self._body += data.ljust(count * self.SIZE, filler)
        return start

    def listed(self) -> tuple[range, bytes]:
        """Where the list of sectors stands, and all of them."""
        start, count = len(self._table), 1
        while (start + count) * 4 > count * self.SIZE:
            count += 1
        table = struct.pack(f"<{start + count}I", *self._table, *[0xFFFFFFFD] * count)
        return range(start, start + count), self._body + table.ljust(count * self.SIZE, b"\xff")


def message(*, subject: str, sender: str, text: str) -> bytes:
    """An e-mail as Outlook keeps it."""
    streams = {"0037001F": subject, "0C1A001F": sender, "1000001F": text}
    named = {f"__substg1.0_{number}": told.encode("utf-16-le") for number, told in streams.items()}
    return compound(**{"__properties_version1.0": bytes(32), **named})
