"""HTML as Markdown: headings, lists and tables stay, scripts and styles go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from . import tables
from .base import Document, Page, whole

_SILENT: Final = frozenset({"script", "style", "noscript", "template", "head", "svg", "iframe", "object", "select", "button"})
_AROUND: Final = frozenset({"nav", "header", "footer", "aside", "form"})
_MAIN_PART: Final = 0.2
_MOST_LINKS: Final = 3000
_BLOCKS: Final = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
    }
    | {
        "footer",
        "form",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "ul",
        "caption",
        "table",
        "tr",
        "td",
        "th",
    }
)
_CELLS: Final = frozenset({"table", "tr", "td", "th"})
_APART: Final = frozenset({"p", "blockquote", "pre", "ul", "ol", "dl", "table", "section", "article"})
_HEADINGS: Final = {f"h{level}": "#" * level for level in range(1, 7)}
_SPACE: Final = re.compile(r"\s+")
_LINES: Final = re.compile(r"\n{3,}")
_TEXT: Final = "-text"


def document(html: str) -> Document:
    text, title = markdown(html)
    return whole(text, title, is_markdown=True)


def markdown(html: str) -> tuple[str, str]:
    """Text and title. Broken markup is read as browsers read it."""
    tree = LexborHTMLParser(html)
    root = tree.body or tree.root
    return ("" if root is None else _Writer().written(root)), _title(tree)


def page(html: str) -> Document:
    """The main text of a page of the web; as facts its links, and what it asks of robots."""
    tree = LexborHTMLParser(html)
    root = tree.body or tree.root
    everything = "" if root is None else _Writer().written(root)
    text = everything
    for node in tree.css("main, [role=main], article"):
        main = _Writer(_AROUND).written(node)
        if len(main) >= _MAIN_PART * len(everything):
            text = main
            break
    else:
        inner = "" if root is None else _Writer(_AROUND).written(root)
        text = inner or everything
    facts = {
        "links": [link for node in tree.css("a[href]")[:_MOST_LINKS] if (link := (node.attributes.get("href") or "").strip())],
        "base": _attribute(tree, "base[href]", "href"),
        "description": _attribute(tree, "meta[name=description]", "content"),
        "robots": _attribute(tree, "meta[name=robots]", "content").lower(),
    }
    return Document([Page(0, text, is_markdown=True)], _title(tree), facts)


def _title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("title")
    return "" if node is None else _SPACE.sub(" ", node.text()).strip()


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str:
    node = tree.css_first(selector)
    return "" if node is None else (node.attributes.get(name) or "").strip()


def _walk(root: LexborNode, silent: frozenset[str]) -> Iterator[tuple[LexborNode, bool]]:
    """Each node when it begins and when it ends; no depth is too deep."""
    waiting = [(root, False)]
    while waiting:
        node, ends = waiting.pop()
        yield node, ends
        if not ends and node.tag not in silent:
            waiting.append((node, True))
            waiting.extend([(child, False) for child in node.iter(include_text=True)][::-1])


class _Writer:
    """Texts go to the open cell, or to the page. A table in a table is text of its cell."""

    def __init__(self, silent: frozenset[str] = frozenset()) -> None:
        self._silent = _SILENT | silent
        self._page: list[str] = []
        self._open: list[list[str]] = [self._page]
        self._rows: list[list[str]] = []
        self._depth = 0
        self._preformatted = 0

    def written(self, root: LexborNode) -> str:
        for node, ends in _walk(root, self._silent):
            if node.tag == _TEXT:
                if not ends:
                    self._text(node.text_content or "")
            elif ends:
                self._leave(node.tag or "")
            else:
                self._enter(node.tag or "")
        return _tidied(self._page)

    def _text(self, text: str) -> None:
        self._open[-1].append(text if self._preformatted else _SPACE.sub(" ", text))

    def _enter(self, tag: str) -> None:
        self._preformatted += tag == "pre"
        self._depth += tag == "table"
        if self._depth == 1 and tag in _CELLS:
            self._enter_table(tag)
        elif tag == "br":
            self._open[-1].append("\n")
        elif tag in _HEADINGS:
            self._open[-1].append(f"\n\n{_HEADINGS[tag]} ")
        elif tag == "li":
            self._open[-1].append("\n- ")
        elif tag in _BLOCKS:
            self._break(tag)

    def _leave(self, tag: str) -> None:
        if self._depth == 1 and tag in _CELLS:
            self._leave_table(tag)
        elif tag in _HEADINGS:
            self._open[-1].append("\n\n")
        elif tag in _BLOCKS and tag != "li":
            self._break(tag)
        self._preformatted -= tag == "pre"
        self._depth -= tag == "table"

    def _enter_table(self, tag: str) -> None:
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif self._rows:
            self._open.append([])

    def _leave_table(self, tag: str) -> None:
        if tag == "table":
            self._open[-1].append(f"\n\n{tables.markdown(self._rows)}\n\n")
        elif tag != "tr" and len(self._open) > 1:
            self._rows[-1].append(_tidied(self._open.pop()))

    def _break(self, tag: str) -> None:
        self._open[-1].append("\n\n" if tag in _APART else "\n")


def _tidied(pieces: list[str]) -> str:
    lines = "".join(pieces).replace("\xa0", " ").split("\n")
    return _LINES.sub(
        "\n\n", "\n".join(line.rstrip() if line[:1].isspace() and line.strip() else line.strip() for line in lines)
    ).strip()
