"""The built-in demo: every model type, offline, without a credential, the same answer to the same question."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence

from ..base import CredentialField, Embeddings, LanguageModel, ModelRequest, ModelType, Provider, Ranked
from ..demo import answers, sound, words
from ..messages import Delta, TokenUsage, ToolCallDelta
from ..tokens import estimate
from ..wires.parts import on

PIECE_SECONDS = 0.008
LONGEST_SECONDS = 0.4
TRANSCRIPT = "This is the built-in demo model: it cannot hear, so this fixed sentence stands for your recording."
_PIECE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,3}|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+\s*|\s+")


class DemoModel(LanguageModel):
    """Speaks in small pieces with a pause of ``delay`` seconds between them, so that one sees it stream."""

    def __init__(self, delay: float) -> None:
        self._delay = delay

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        reply = answers.reply(request)
        deltas = _deltas(reply, request)
        pause = min(self._delay, LONGEST_SECONDS / len(deltas))
        said = 0
        for delta in deltas:
            said += estimate(delta.text) + estimate(delta.reasoning) + sum(estimate(c.arguments) for c in delta.tool_calls)
            yield delta
            await asyncio.sleep(pause)
        asked = sum(estimate(message.text) for message in request.messages)
        yield TokenUsage(prompt_tokens=max(asked, 1), completion_tokens=said)


class DemoProvider(Provider):
    name = "demo"
    label = "Demo (built in)"
    model_types = frozenset(ModelType)
    credential_fields = (
        CredentialField("delay_ms", "Pause between pieces (ms)", "text-input", required=False, placeholder="8"),
    )

    async def validate(self) -> None:
        """Nothing to prove: there is no credential."""

    def llm(self) -> LanguageModel:
        return DemoModel(_seconds(self.credential))

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        vectors = []
        for text in texts:
            vectors.append(words.vector(text))
            await asyncio.sleep(0)
        return Embeddings(vectors, TokenUsage(prompt_tokens=sum(estimate(text) for text in texts)))

    async def rerank(self, model: str, query: str, documents: Sequence[str], *, top_n: int | None = None) -> Sequence[Ranked]:
        ranked = [Ranked(index, words.overlap(query, text)) for index, text in enumerate(documents)]
        return sorted(ranked, key=lambda row: (-row.score, row.index))[:top_n]

    async def transcribe(self, model: str, audio: bytes, *, filename: str, mime_type: str) -> str:
        return TRANSCRIPT

    async def speak(self, model: str, text: str, *, voice: str = "") -> AsyncIterator[bytes]:
        yield sound.silence(text)

    async def moderate(self, model: str, text: str) -> bool:
        return False


def _seconds(credential: Mapping[str, str]) -> float:
    text = credential.get("delay_ms", "")
    return int(text) / 1000 if text.isdecimal() else PIECE_SECONDS


def _deltas(reply: answers.Reply, request: ModelRequest) -> list[Delta]:
    """The reply in pieces, cut at ``max_tokens``; the last piece says why it ends."""
    thought = [Delta(reasoning=reply.reasoning)] if on(request.parameters.get("thinking")) else []
    if reply.tool_calls:
        calls: list[Delta] = []
        for index, call in enumerate(reply.tool_calls):
            half = len(call.arguments) // 2
            calls.append(Delta(tool_calls=(ToolCallDelta(index, call.id, call.name, call.arguments[:half]),)))
            calls.append(Delta(tool_calls=(ToolCallDelta(index, arguments=call.arguments[half:]),)))
        return [*thought, *calls, Delta(finish_reason="tool_calls")]
    limit = request.parameters.get("max_tokens")
    left = int(limit) if limit else 1 << 30
    pieces: list[Delta] = []
    cut = min((at for at in map(reply.text.find, request.stop) if at >= 0), default=len(reply.text))
    for piece in _PIECE.findall(reply.text[:cut]):
        left -= estimate(piece)
        if left < 0:
            return [*thought, *pieces, Delta(finish_reason="length")]
        pieces.append(Delta(text=piece))
    return [*thought, *pieces, Delta(finish_reason="stop")]
