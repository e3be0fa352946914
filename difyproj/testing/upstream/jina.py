"""Jina AI's wire: embeddings and rerank in OpenAI's and Cohere's shapes, errors in its own."""

from __future__ import annotations

from typing import Any

from .openai import OpenAIWire
from .script import BadRequest, Document, Frames, Received, Script, Understood


class JinaWire:
    def is_stream(self, request: Received) -> bool:
        return False

    def understand(self, request: Received) -> Understood:
        raise BadRequest("Jina AI has no chat.")

    def frames(self, script: Script, asked: Understood, request: Received) -> Frames:
        raise BadRequest("Jina AI has no chat.")

    def document(self, script: Script, request: Received) -> Document:
        if request.path not in ("/v1/embeddings", "/v1/rerank"):
            raise BadRequest(f"No such path: {request.path}")
        return OpenAIWire().document(script, request)

    def error(self, status: int, message: str) -> Any:
        return {"detail": message}
