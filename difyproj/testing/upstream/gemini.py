"""The Gemini wire: generateContent by SSE, batched embeddings, models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from difyproj.kernel import jsonio
from difyproj.model_runtime.messages import ToolCall

from .script import BadRequest, Document, Frames, Received, Script, Understood, cut, vector

_PATH = re.compile(r"/v1(?:beta)?/models/([^:]+):(\w+)")
_SCHEMA_WORDS = frozenset(
    {"type", "format", "title", "description", "nullable", "enum", "default", "example", "pattern", "anyOf", "items"}
    | {"properties", "required", "propertyOrdering", "minProperties", "maxProperties", "minItems", "maxItems"}
    | {"minLength", "maxLength", "minimum", "maximum"}
)


class GeminiWire:
    def is_stream(self, request: Received) -> bool:
        return ":streamGenerateContent" in request.path

    def understand(self, request: Received) -> Understood:
        if "x-goog-api-key" not in request.headers or "alt=sse" not in request.path:
            raise BadRequest("An API key and alt=sse are needed.")
        found = _PATH.search(request.path)
        body = request.body
        seen: dict[str, list[Any]] = {name: [] for name in ("turns", "images", "audio", "documents", "calls", "results")}
        for content in body["contents"]:
            if content["role"] not in ("user", "model"):
                raise BadRequest(f"Invalid role {content['role']}.")
            self._parts(content, seen)
        tools: dict[str, Any] = {}
        for tool in body.get("tools") or ():
            for declared in tool["functionDeclarations"]:
                tools[declared["name"]] = _checked(declared.get("parameters", {}))
        config = body.get("generationConfig") or {}
        system = (body.get("systemInstruction") or {}).get("parts") or ()
        schema = config.get("responseSchema")
        return Understood(
            model=found.group(1) if found else "",
            system="".join(part["text"] for part in system),
            turns=seen["turns"],
            images=seen["images"],
            audio=seen["audio"],
            documents=seen["documents"],
            tools=tools,
            tool_calls=seen["calls"],
            tool_results=seen["results"],
            schema=None if schema is None else _checked(schema),
            stop=config.get("stopSequences") or (),
            temperature=config.get("temperature"),
            max_tokens=config.get("maxOutputTokens"),
        )

    def _parts(self, content: dict[str, Any], seen: dict[str, list[Any]]) -> None:
        texts: list[str] = []
        for part in content["parts"]:
            match part:
                case {"text": text}:
                    texts.append(text)
                case {"inlineData": {"mimeType": mime, "data": data}}:
                    kind = {"image": "images", "audio": "audio"}.get(mime.partition("/")[0], "documents")
                    seen[kind].append(data)
                case {"fileData": {"fileUri": url}}:
                    seen["images"].append(url)
                case {"functionCall": {"name": name, "args": given}}:
                    seen["calls"].append(ToolCall("", name, jsonio.dumps_text(given)))
                case {"functionResponse": {"name": name, "response": answer}}:
                    seen["results"].append((name, answer["result"]))
                case _:
                    raise BadRequest("Invalid part.")
        if texts:
            role = "assistant" if content["role"] == "model" else "user"
            seen["turns"].append((role, "".join(texts)))

    def frames(self, script: Script, asked: Understood, request: Received) -> Frames:
        tokens, _ = cut(script.tokens, asked.stop)
        usage = {} if script.usage is None else _usage(*script.usage)

        def frame(*parts: dict[str, Any], reason: str = "") -> bytes:
            candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
            if reason:
                candidate["finishReason"] = reason
            body = {"candidates": [candidate], **usage, "modelVersion": asked.model, "responseId": "fake"}
            return _event(body)

        pieces = [frame({"text": text, "thought": True}) for text in script.reasoning]
        pieces += [frame({"text": token}) for token in tokens]
        for call in script.tool_calls:
            pieces.append(frame({"functionCall": {"name": call.name, "args": jsonio.loads(call.arguments or "{}")}}))
        if script.stream_error:
            pieces.append(_event(self.error(503, script.stream_error)))
        end = [frame({"text": ""}, reason=script.finish or "STOP")]
        return Frames([], pieces, end, b'data: {"candidates": [{"cont\r\n\r\n')

    def document(self, script: Script, request: Received) -> Document:
        found = _PATH.search(request.path)
        if found and found.group(2) == "batchEmbedContents":
            texts = [row["content"]["parts"][0]["text"] for row in request.body["requests"]]
            rows = [{"values": vector(text, script.dimensions)} for text in texts]
            return Document(jsonio.dumps({"embeddings": rows}))
        if request.path.partition("?")[0].endswith("/models"):
            return Document(jsonio.dumps({"models": [{"name": "models/gemini-fake"}]}))
        raise BadRequest(f"No such path: {request.path}")

    def error(self, status: int, message: str) -> Any:
        return {"error": {"code": status, "message": message, "status": "FAKE_ERROR"}}


def _checked(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema, if the API would take every word of it."""
    unknown = set(schema) - _SCHEMA_WORDS
    if unknown:
        raise BadRequest(f"Invalid JSON payload received. Unknown name {sorted(unknown)[0]!r}")
    for inner in (schema.get("properties") or {}).values():
        _checked(inner)
    if "items" in schema:
        _checked(schema["items"])
    return schema


def _usage(prompt: int, said: int) -> dict[str, Any]:
    counted = {"promptTokenCount": prompt, "candidatesTokenCount": said, "totalTokenCount": prompt + said}
    return {"usageMetadata": counted}


def _event(value: Any) -> bytes:
    return b"data: " + jsonio.dumps(value) + b"\r\n\r\n"
