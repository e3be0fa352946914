"""Cohere's v2 wire: chat by typed SSE events, embeddings, rerank."""

from __future__ import annotations

from typing import Any

from difyproj.kernel import jsonio

from .openai import reranked, understand_chat
from .script import BadRequest, Document, Frames, Received, Script, Understood, cut, vector


class CohereWire:
    def is_stream(self, request: Received) -> bool:
        return request.path == "/v2/chat" and request.body.get("stream") is True

    def understand(self, request: Received) -> Understood:
        body = dict(request.body)
        form = body.pop("response_format", None) or {}
        for message in body["messages"]:
            if message.get("content") == "" and message.get("tool_calls"):
                raise BadRequest("invalid request: message must have non-empty content or tool calls")
        if body.get("stop"):
            raise BadRequest("unknown field: stop")
        body["stop"] = body.get("stop_sequences")
        asked = understand_chat(body)
        return Understood(**{name: getattr(asked, name) for name in Understood.__slots__} | {"schema": form.get("schema")})

    def frames(self, script: Script, asked: Understood, request: Received) -> Frames:
        tokens, stopped = cut(script.tokens, asked.stop)
        begin = [_event("message-start", id="fake", delta={"message": {"role": "assistant", "content": []}})]
        pieces = [_content(0, "thinking", text) for text in script.reasoning]
        pieces += [_content(1, "text", token) for token in tokens]
        for index, call in enumerate(script.tool_calls):
            half = len(call.arguments) // 2
            function = {"name": call.name, "arguments": ""}
            opening = {"id": call.id, "type": "function", "function": function}
            pieces.append(_event("tool-call-start", index=index, delta={"message": {"tool_calls": opening}}))
            for text in (call.arguments[:half], call.arguments[half:]):
                delta = {"message": {"tool_calls": {"function": {"arguments": text}}}}
                pieces.append(_event("tool-call-delta", index=index, delta=delta))
            pieces[-1] += _event("tool-call-end", index=index)
        reason = "TOOL_CALL" if script.tool_calls else "STOP_SEQUENCE" if stopped else "COMPLETE"
        last: dict[str, Any] = {"finish_reason": script.finish or reason}
        if script.usage:
            counted = {"input_tokens": script.usage[0], "output_tokens": script.usage[1]}
            last["usage"] = {"billed_units": counted, "tokens": counted}
        if script.stream_error:
            pieces.append(_event("message-end", delta={"finish_reason": "ERROR", "error": script.stream_error}))
        return Frames(begin, pieces, [_event("message-end", delta=last)], b'event: content-delta\ndata: {"type": "cont\n\n')

    def document(self, script: Script, request: Received) -> Document:
        body = request.body
        match request.path:
            case "/v2/embed":
                if not body.get("embedding_types") or not body.get("input_type"):
                    raise BadRequest("embedding_types and input_type are needed")
                vectors = [vector(text, script.dimensions) for text in body["texts"]]
                meta = {"billed_units": {"input_tokens": sum(len(text.split()) for text in body["texts"])}}
                return Document(jsonio.dumps({"id": "fake", "embeddings": {"float": vectors}, "meta": meta}))
            case "/v2/rerank":
                return Document(jsonio.dumps(reranked(body)))
            case "/v1/models":
                return Document(jsonio.dumps({"models": [{"name": "command-fake"}]}))
        raise BadRequest(f"No such path: {request.path}")

    def error(self, status: int, message: str) -> Any:
        return {"id": "fake", "message": message}


def _content(index: int, kind: str, text: str) -> bytes:
    return _event("content-delta", index=index, delta={"message": {"content": {kind: text}}})


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + jsonio.dumps({"type": kind, **fields}) + b"\n\n"
