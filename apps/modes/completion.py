"""completion: one model call per request, without a conversation; the question is optional."""

from __future__ import annotations

from functools import partial
from typing import Final

from .mode import COMPLETION, Mode
from .single_call import build

MODE: Final = Mode(family=COMPLETION, has_conversations=False, build=partial(build, conversation=False))
