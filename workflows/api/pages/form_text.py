"""The text of a form as HTML: Markdown without HTML and pictures of its own, with the fields in their places."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

# Above this a text is shown as it stands, so that no text keeps a thread busy.
LONGEST: Final = 50_000
REL: Final = "nofollow noopener noreferrer"
_PLACE: Final = re.compile(r"\{\{#\$output\.([a-zA-Z_][a-zA-Z0-9_]*)#\}\}")


def page_of(text: str, fields: Mapping[str, SafeString]) -> SafeString:
    """``fields`` are the HTML of the fields by name. Each is shown once: at its first place, or after the text.

    Places in code and in the addresses of links are none.
    """
    left = dict(fields)
    shown = _markdown.render(text, {"fields": left}) if len(text) <= LONGEST else format_html("<pre>{}</pre>", text)
    return SafeString(shown + "".join(f"<p>{field}</p>\n" for field in left.values()))


def _place(state: StateInline, silent: bool) -> bool:
    found = _PLACE.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("field", "", 0).content = found[1]
    state.pos = found.end()
    return True


def _field(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return str(env["fields"].pop(tokens[index].content, ""))


def _link(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", REL)
    tokens[index].attrSet("target", "_blank")
    return self.renderToken(tokens, index, options, env)


def _made() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")
    made.inline.ruler.push("field", _place)
    made.add_render_rule("field", _field)
    made.add_render_rule("link_open", _link)
    return made


_markdown: Final = _made()
