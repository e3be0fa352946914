"""Spoken answers: while the text streams its sentences are spoken, and the sound is sent in between."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Final

from apps.config import AppConfig
from difyproj.kernel.errors import DomainError
from workflows.engine.events import Events, RunFinished, SpeechChunk, TextChunk, TextReplaced
from workflows.engine.layers import Layer
from workflows.engine.ports import ModelPort
from workflows.engine.streams import closing

_ENDS: Final = re.compile(r"(?<=[.!?;:\n\u3002\uff01\uff1f\uff1b])")
_SHORTEST: Final = 40

log = logging.getLogger(__name__)


def layers(config: AppConfig, models: ModelPort, *, is_followed: bool) -> list[Layer]:
    """The layer that speaks, for apps whose answers are to be played at once, when somebody follows the stream."""
    section = config.text_to_speech
    if not is_followed or not section.enabled or section.autoPlay != "enabled":
        return []
    return [lambda source: _spoken(source, _Speaker(models, section.voice or ""))]


async def _spoken(source: Events, speaker: _Speaker) -> Events:
    async with aclosing(source):
        try:
            async for event in source:
                if isinstance(event, RunFinished):
                    speaker.end()
                    async for sound in speaker.rest():
                        yield SpeechChunk(sound)
                    yield SpeechChunk("")
                elif isinstance(event, TextReplaced):
                    speaker.replace(event.text)
                yield event
                if isinstance(event, TextChunk):
                    speaker.feed(event.text)
                for sound in speaker.ready():
                    yield SpeechChunk(sound)
        finally:
            await speaker.close()


class _Speaker:
    """Turns sentences into base64 sound, one after another, beside the stream. A model that fails falls silent."""

    def __init__(self, models: ModelPort, voice: str) -> None:
        self._models, self._voice = models, voice
        self._text = ""
        self._sentences: asyncio.Queue[str | None] = asyncio.Queue()
        self._sounds: list[str] = []
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def feed(self, text: str) -> None:
        """More text; what makes whole sentences of some length is spoken."""
        self._text += text
        *whole, rest = _ENDS.split(self._text)
        said = "".join(whole)
        if len(said) >= _SHORTEST:
            self._say(said)
            self._text = rest

    def replace(self, text: str) -> None:
        """What was not spoken yet is forgotten, ``text`` is said instead."""
        while not self._sentences.empty():
            self._sentences.get_nowait()
        self._text = text

    def end(self) -> None:
        if self._text.strip():
            self._say(self._text)
        self._sentences.put_nowait(None)

    def ready(self) -> Iterator[str]:
        """The sound that is there already."""
        sounds, self._sounds = self._sounds, []
        yield from sounds

    async def rest(self) -> AsyncIterator[str]:
        """All that is still to come: until the speaking task is over, however it ends."""
        while self._task is not None and not self._task.done():
            self._more.clear()
            for sound in self.ready():
                yield sound
            await self._more.wait()
        for sound in self.ready():
            yield sound

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _say(self, sentence: str) -> None:
        self._sentences.put_nowait(sentence)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._speak())
            self._task.add_done_callback(lambda _: self._more.set())

    async def _speak(self) -> None:
        try:
            while (sentence := await self._sentences.get()) is not None:
                async with closing(self._models.speak(sentence.strip(), voice=self._voice)) as pieces:
                    async for piece in pieces:
                        self._sounds.append(base64.b64encode(piece).decode())
                        self._more.set()
        except DomainError as error:
            log.warning("An answer is not spoken: %s", error)
