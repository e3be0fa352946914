"""Small documents of every format, made here."""

from __future__ import annotations

import io
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
