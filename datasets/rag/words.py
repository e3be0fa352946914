"""Words as the indexes know them: lower-cased; scripts that are written without spaces as overlapping pairs of characters."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final

# Han, kana, hangul; Thai, Lao, Myanmar, Khmer. The middle dot of Japanese parts words.
_SPACELESS: Final = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003134f\u1100-\u11ff\uac00-\ud7af\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
)
# Vowel signs of India's scripts and accents that stand alone belong to their word.
_MARKS: Final = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_PLAIN: Final = re.compile(r"[a-z0-9]+")
_WORD: Final = re.compile(rf"([{_SPACELESS}]+)|(?:[^\W_{_SPACELESS}]|[{_MARKS}])+")
# Full-width letters, half-width kana, ligatures, loose accents: what has another form that people type.
_FORMS: Final = re.compile(
    "[\u0300-\u036f\u2100-\u214f\u2460-\u24ff\u3099\u309a\ufb00-\ufb4f\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff65-\uffdc]"
)
_FEWEST: Final = 2

_STOP: Final = """
a about above after again against all also am an and any are as at be because been before being below between both but by can
cannot could did do does doing done down during each either else etc few for from further had has have having he her here hers
herself him himself his how however i if in into is it its itself just let may me might more most must my myself neither no
nor not now of off on once only or other our ours ourselves out over own per same shall she should since so some such than
that the their theirs them themselves then there these they this those through thus to too under until up upon us very via was
we were what when where whether which while who whom whose why will with within without would yet you your yours yourself
"""
STOP_WORDS: Final = frozenset(_STOP.split())
_EMPTY_CHARACTERS: Final = frozenset(
    "的了是在和与及或也就都而且着被把给让对从向到为以之其这那此些个我你他她它们不没有很吗呢吧啊の"
)


def tokens(text: str) -> list[str]:
    """What is indexed and looked for, in order. ``发票号`` is ``发票``, ``票号``; a character that stands alone is itself."""
    if text.isascii():
        return _PLAIN.findall(text.lower())
    if _FORMS.search(text):
        text = unicodedata.normalize("NFKC", text)
    found: list[str] = []
    for match in _WORD.finditer(text.lower()):
        run = match[1]
        if run is None:
            found.append(match[0])
        elif len(run) == 1:
            found.append(run)
        else:
            found.extend([run[at : at + 2] for at in range(len(run) - 1)])
    return found


def keywords(text: str, most: int = 10) -> list[str]:
    """The words that say most about the text: those it uses most often, the earlier ones first where it is a draw."""
    counted = Counter(word for word in tokens(text) if _tells(word))
    return [word for word, _ in counted.most_common(most)]


def _tells(word: str) -> bool:
    if len(word) < _FEWEST or word in STOP_WORDS or word.isdecimal():
        return False
    return word.isascii() or not _EMPTY_CHARACTERS.intersection(word)
