"""chat: one model call per question, with the conversation before it."""

from __future__ import annotations

from functools import partial
from typing import Final

from .mode import CHAT, Mode
from .single_call import build

MODE: Final = Mode(family=CHAT, has_conversations=True, build=partial(build, conversation=True))
