"""PDF: tables, columns, headings and paragraphs as they are read, and where every row stands."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from datasets.rag.extract.base import Document, Page, Source
from datasets.rag.extract.formats import pdf
from difyproj.testing.documents import drawn_pdf, shown

CELLS = [("Name", "Amount", "Remark"), ("First", "1,200.50", "a remark"), ("Second", "", "x")]
TABLE = "| Name | Amount | Remark |\n| --- | --- | --- |\n| First | 1,200.50 | a remark |\n| Second |  | x |"


def read(data: bytes) -> Document:
    return pdf.extract(Source(io.BytesIO(data), len(data), "pdf"))


def page_of(*drawn: str, extra: str = "") -> Page:
    (page,) = read(drawn_pdf(" ".join(drawn), extra=extra)).pages
    return page


def cells(wide: float, high: float, rows: Sequence[tuple[str, ...]] = CELLS) -> str:
    return shown(
        *(
            (75 + wide * column, 694 - high * row, text)
            for row, texts in enumerate(rows)
            for column, text in enumerate(texts)
            if text
        )
    )


LINES = " ".join(
    [f"{72 + 60 * at} 710 m {72 + 60 * at} 650 l S" for at in range(4)]
    + [f"72 {710 - 20 * at} m 252 {710 - 20 * at} l S" for at in range(4)]
)
ONE_PATH = LINES.replace(" S", "") + " S"
BOXES = " ".join(f"{72 + 60 * x} {690 - 20 * y} 60 20 re S" for x in range(3) for y in range(3))


@pytest.mark.parametrize("ruled", [LINES, ONE_PATH, BOXES])
def test_a_ruled_table_keeps_every_cell(ruled: str) -> None:
    page = page_of(shown((72, 740, "Before it.")), ruled, cells(60, 20), shown((72, 600, "After it.")))
    assert page.text == f"Before it.\n\n{TABLE}\n\nAfter it."
    assert page.is_markdown


def test_two_rows_in_a_cell_are_one_cell() -> None:
    page = page_of(
        "72 710 m 72 650 l S 132 710 m 132 650 l S 252 710 m 252 650 l S",
        "72 710 m 252 710 l S 72 680 m 252 680 l S 72 650 m 252 650 l S",
        shown((75, 698, "a"), (135, 698, "first half")),
        shown((135, 684, "second half"), (75, 660, "b"), (135, 660, "c")),
    )
    assert page.text == "| a | first half second half |\n| --- | --- |\n| b | c |"


def test_columns_without_lines_are_a_table_too() -> None:
    assert page_of(cells(100, 16)).text == TABLE


def test_a_list_is_no_table() -> None:
    rows = [("1.", "Take it"), ("2.", "Turn it"), ("3.", "Leave it")]
    assert page_of(cells(30, 16, rows)).text == "1. Take it\n2. Turn it\n3. Leave it"


def test_columns_that_were_written_row_by_row_are_read_one_after_the_other() -> None:
    left = [f"left side row {at} tells a long story of" for at in range(6)]
    right = [f"right side row {at} goes on with it and" for at in range(6)]
    drawn = [shown((72, 700 - 14 * at, left[at])) + " " + shown((330, 700 - 14 * at, right[at])) for at in range(6)]
    text = page_of(
        shown((72, 740, "A heading over both of the columns, as wide as the whole page is, from side to side.")), *drawn
    ).text
    assert text.index("right side row 0") > text.index("left side row 5")


def test_rows_of_a_paragraph_become_one_and_headings_are_seen() -> None:
    page = page_of(
        shown((72, 740, "Results"), size=20),
        shown(
            (72, 700, "This paragraph is written in two rows, of which the first one is"),
            (72, 686, "full and this one is not."),
        ),
        shown((72, 650, "Another one.")),
    )
    paragraph = "This paragraph is written in two rows, of which the first one is full and this one is not."
    assert page.text == f"## Results\n\n{paragraph}\n\nAnother one."


@pytest.mark.parametrize("extra", ["", "/Rotate 90", "/Rotate 180", "/Rotate 270", "/CropBox [36 36 576 756]"])
def test_every_row_knows_where_it_stands(extra: str) -> None:
    page = page_of(shown((72, 720, "Top row")), shown((72, 100, "Bottom row")), extra=extra)
    told = {page.text[line.start : line.end]: line for line in page.lines}
    assert set(told) == {"Top row", "Bottom row"}
    for line in told.values():
        assert 0 <= line.x0 < line.x1 <= 1 and 0 <= line.y0 < line.y1 <= 1
    top, bottom = told["Top row"], told["Bottom row"]
    turned = {"/Rotate 90": top.x0 > bottom.x1, "/Rotate 180": top.y0 > bottom.y1, "/Rotate 270": top.x1 < bottom.x0}
    assert turned.get(extra, top.y1 < bottom.y0)


def test_pages_are_counted_and_the_title_is_told() -> None:
    found = read(drawn_pdf(shown((72, 700, "One")), "", shown((72, 700, "Three")), title="Report"))
    assert found.title == "Report"
    assert [(page.number, page.text) for page in found.pages] == [(1, "One"), (2, ""), (3, "Three")]


def test_what_stands_at_the_edge_of_every_page_is_told_once() -> None:
    drawn = [shown((72, 760, "The manual"), (72, 500, f"Text {at}"), (300, 30, str(at))) for at in range(3)]
    assert [page.text for page in read(drawn_pdf(*drawn)).pages] == ["The manual\n\nText 0", "Text 1", "Text 2"]
