"""Every operation of chat and completion apps, called on a served instance, and judged by an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from asgiref.sync import sync_to_async

from .flows import ASKING, ASKING_IN_CHAT, ECHO, TALK, make_flow
from .openapi import Deviation, Document
from .served import Answer, Key, Served
from .upstream import Script

UNKNOWN = "00000000-0000-4000-8000-000000000000"
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(40)
CHATS = ("ChunkChatEvent", "ChatStreamRecord")
FAMILIES = {
    "chat": CHATS,
    "advanced-chat": CHATS,
    "completion": ("ChunkCompletionEvent", "CompletionStreamRecord"),
    "workflow": ("ChunkWorkflowEvent", "WorkflowStreamRecord"),
}
FORM = [
    {"text-input": {"label": "Name", "variable": "name", "required": False, "default": "", "max_length": 48}},
    {"paragraph": {"label": "About", "variable": "about", "required": False, "default": ""}},
    {"select": {"label": "Tone", "variable": "tone", "required": False, "options": ["kind", "plain"], "default": ""}},
]
CITY = {
    "opening_statement": "Hello!",
    "suggested_questions": ["What can you do?"],
    "suggested_questions_after_answer": {"enabled": True},
    "speech_to_text": {"enabled": True},
    "text_to_speech": {"enabled": True, "voice": "nova", "language": "en-US", "autoPlay": "disabled"},
    "user_input_form": FORM,
    "file_upload": {"image": {"enabled": True, "transfer_methods": ["local_file", "remote_url"]}},
}
WITHDRAWN = {
    "enabled": True,
    "type": "keywords",
    "config": {
        "keywords": "secret",
        "inputs_config": {"enabled": False},
        "outputs_config": {"enabled": True, "preset_response": "Withdrawn."},
    },
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and its answer. ``path`` is the template, ``mode`` the app's."""

    mode: str
    method: str
    path: str
    answer: Answer

    @property
    def operation(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def media_type(self) -> str:
        return self.answer.headers.get("Content-Type", "").partition(";")[0]

    @property
    def name(self) -> str:
        stream = " stream" if self.media_type == "text/event-stream" else ""
        body = self.answer.json() if self.answer.status >= 400 else {}
        code = f" {body.get('error', body)['code']}" if body else ""
        return f"{self.operation} [{self.mode}] {self.answer.status}{code}{stream}"

    def judged(self, document: Document) -> list[Deviation]:
        if self.media_type == "text/event-stream":
            records = [frame.record for frame in self.answer.frames if frame.record]
            found = {
                Deviation(one.kind, f"{record['event']}: {one.place}", one.text)
                for record in records
                for one in document.record(self.method, self.path, FAMILIES[self.mode], record)
            }
            return sorted(found)
        body = self.answer.json() if self.media_type == "application/json" and self.answer.body else self.answer.body or None
        return document.answer(self.method, self.path, self.answer.status, self.media_type, body)


@dataclass(slots=True)
class Exercise:
    """Calls an instance and keeps what came."""

    house: Served
    exchanges: list[Exchange] = field(default_factory=list)

    async def call(self, key: Key, method: str, path: str, status: int = 200, **options: Any) -> Answer:
        """``path`` is a template; ``ids`` fills it. Raises AssertionError when another status comes."""
        filled = path.format(**options.pop("ids", {}))
        answer = await self.house.call(method, f"/v1{filled}", key=key, **options)
        assert answer.status == status, (method, filled, answer)
        self.exchanges.append(Exchange(key.app.mode, method, path, answer))
        return answer

    async def run(self) -> list[Exchange]:
        """Everything, for both modes."""
        house = self.house
        await house.configure(house.chat, **CITY)
        await house.configure(house.completion, **{name: value for name, value in CITY.items() if name != "user_input_form"})
        for key in (house.chat, house.completion):
            await self.about_the_app(key)
            message = await self.messages(key)
            await self.feedback(key, message)
            await self.files(key)
            await self.audio(key, message)
        await self.conversations(house.chat)
        await self.annotations(house.chat)
        await self.annotation_replies(house.chat)
        await self.openai(house.chat)
        await self.workflows()
        await self.chatflows()
        await self.refusals()
        return self.exchanges

    async def about_the_app(self, key: Key) -> None:
        for path in ("/info", "/parameters", "/meta", "/site"):
            await self.call(key, "GET", path)
        await self.call(key, "GET", "/end-users/{end_user_id}", 404, ids={"end_user_id": UNKNOWN})

    async def messages(self, key: Key) -> dict[str, Any]:
        """Blocking, streaming, stopped, with a file, withdrawn, broken; gives a blocking answer's body."""
        path = f"/{key.app.mode}-messages"
        body = {"inputs": {"query": "x"}, "query": "Hello?", "user": "u1"}
        whole = (await self.call(key, "POST", path, json=body)).json()
        streaming = {**body, "response_mode": "streaming"}
        stream = await self.call(key, "POST", path, json=streaming)
        staged = await self.call(key, "POST", path, json={**streaming, "stage_events": True})
        assert staged.frames[0].event == "pre_process_started"
        task = {"task_id": stream.frames[0].record["task_id"]}
        await self.call(key, "GET", "/runs/{task_id}/events", ids=task, params={"user": "u1"})
        await self.call(key, "POST", f"{path}/{{task_id}}/stop", ids=task, json={"user": "u1"})
        await self.call(key, "POST", f"{path}/{{task_id}}/stop", 400, ids=task, json={})
        await self.withdrawn_and_broken(key, path, streaming)
        await self.call(key, "POST", path, 400, json={})
        await self.call(key, "POST", path, 400, data=b"{", headers={"Content-Type": "application/json"})
        return dict(whole)

    async def withdrawn_and_broken(self, key: Key, path: str, streaming: Mapping[str, Any]) -> None:
        house = self.house
        await house.configure(key, sensitive_word_avoidance=WITHDRAWN)
        house.upstream.script = Script(tokens=("A ", "secret", " word"))
        withdrawn = await self.call(key, "POST", path, json=streaming)
        assert "message_replace" in [frame.event for frame in withdrawn.frames]
        await house.configure(key, sensitive_word_avoidance={"enabled": False})
        house.upstream.script = Script(tokens=("Half ", "an", " answer"), disconnect_after=2)
        broken = await self.call(key, "POST", path, json=streaming)
        assert broken.frames[-1].event == "error"
        house.upstream.script = Script(fail=400)
        await self.call(key, "POST", path, 400, json={**streaming, "response_mode": "blocking"})
        house.upstream.script = Script()

    async def feedback(self, key: Key, message: Mapping[str, Any]) -> None:
        path, ids = "/messages/{message_id}/feedbacks", {"message_id": message["message_id"]}
        await self.call(key, "POST", path, ids=ids, json={"rating": "like", "user": "u1", "content": "Good."})
        await self.call(key, "POST", path, 400, ids=ids, json={"rating": "so so", "user": "u1"})
        await self.call(key, "POST", path, 404, ids={"message_id": UNKNOWN}, json={"rating": "like", "user": "u1"})
        await self.call(key, "GET", "/app/feedbacks")

    async def files(self, key: Key) -> None:
        uploaded = (await self.call(key, "POST", "/files/upload", 201, data=_form("pixel.png", PIXEL, "image/png"))).json()
        ids = {"file_id": uploaded["id"]}
        await self.call(key, "POST", "/files/upload", 400, data=aiohttp.FormData({"user": "u1"}))
        await self.call(key, "GET", "/files/{file_id}/preview", 404, ids=ids)
        await self.call(key, "GET", "/end-users/{end_user_id}", ids={"end_user_id": uploaded["created_by"]})
        file = {"type": "image", "transfer_method": "local_file", "upload_file_id": uploaded["id"]}
        asked = {"inputs": {}, "query": "What is it?", "user": "u1", "files": [file]}
        await self.call(key, "POST", f"/{key.app.mode}-messages", json=asked)
        await self.call(key, "GET", "/files/{file_id}/preview", ids=ids)
        await self.call(key, "GET", "/files/{file_id}/preview", ids=ids, params={"as_attachment": "true"})
        await self.call(self.house.foreign, "GET", "/files/{file_id}/preview", 404, ids=ids)

    async def audio(self, key: Key, message: Mapping[str, Any]) -> None:
        await self.call(key, "POST", "/audio-to-text", data=_form("a.wav", b"RIFFsound", "audio/wav"))
        await self.call(key, "POST", "/audio-to-text", 415, data=_form("a.txt", b"text", "text/plain"))
        await self.call(key, "POST", "/text-to-audio", json={"text": "Hi.", "user": "u1"})
        await self.call(key, "POST", "/text-to-audio", json={"message_id": message["message_id"], "user": "u1"})

    async def conversations(self, key: Key) -> None:
        body = {"inputs": {"name": "Ann", "tone": "kind"}, "query": "And you?", "user": "u1"}
        first = (await self.call(key, "POST", "/chat-messages", json=body)).json()
        ids = {"conversation_id": first["conversation_id"]}
        await self.call(key, "POST", "/chat-messages", json={**body, **ids})
        await self.call(key, "POST", "/chat-messages", 404, json={**body, "conversation_id": UNKNOWN})
        user = {"user": "u1"}
        await self.call(key, "GET", "/conversations", params={**user, "limit": "2", "sort_by": "-created_at"})
        await self.call(key, "GET", "/conversations", 404, params={**user, "last_id": UNKNOWN})
        page = (await self.call(key, "GET", "/conversations", params=user)).json()
        for row in page["data"]:
            await self.call(key, "GET", "/messages", params={**user, "conversation_id": row["id"]})
        await self.call(key, "GET", "/messages", 404, params={**user, "conversation_id": UNKNOWN})
        self.house.upstream.script = Script(tokens=('["Why?", "How?"]',))
        await self.call(key, "GET", "/messages/{message_id}/suggested", ids={"message_id": first["id"]}, params=user)
        await self.call(key, "GET", "/messages/{message_id}/suggested", 404, ids={"message_id": UNKNOWN}, params=user)
        await self.variables(key, ids)
        await self.renamed_and_deleted(key, ids)

    async def variables(self, key: Key, ids: Mapping[str, str]) -> None:
        path = "/conversations/{conversation_id}/variables"
        await self.call(key, "GET", path, ids=ids, params={"user": "u1"})
        await self.call(key, "GET", path, 400, ids=ids, params={"user": "u1", "last_id": UNKNOWN})
        one = {**ids, "variable_id": UNKNOWN}
        await self.call(key, "PUT", f"{path}/{{variable_id}}", 404, ids=one, json={"user": "u1", "value": 1})

    async def renamed_and_deleted(self, key: Key, ids: Mapping[str, str]) -> None:
        path = "/conversations/{conversation_id}"
        await self.call(key, "POST", f"{path}/name", ids=ids, json={"user": "u1", "name": "Mine"})
        await self.call(key, "POST", f"{path}/name", ids=ids, json={"user": "u1", "auto_generate": True})
        await self.call(key, "POST", f"{path}/name", 400, ids=ids, json={"user": "u1"})
        await self.call(key, "DELETE", path, 204, ids=ids, json={"user": "u1"})
        await self.call(key, "DELETE", path, 404, ids=ids, json={"user": "u1"})

    async def annotation_replies(self, key: Key) -> None:
        setting = {"embedding_provider_name": "builtin", "embedding_model_name": "hashing-384", "score_threshold": 0.9}
        path = "/apps/annotation-reply/{action}"
        for action in ("enable", "disable"):
            begun = (await self.call(key, "POST", path, ids={"action": action}, json=setting)).json()
            ids = {"action": action, "job_id": begun["job_id"]}
            await self.call(key, "GET", f"{path}/status/{{job_id}}", ids=ids)
        await self.call(key, "GET", f"{path}/status/{{job_id}}", 400, ids={"action": "enable", "job_id": UNKNOWN})

    async def annotations(self, key: Key) -> None:
        path, pair = "/apps/annotations", {"question": "Who?", "answer": "Me."}
        ids = {"annotation_id": (await self.call(key, "POST", path, 201, json=pair)).json()["id"]}
        await self.call(key, "POST", path, 400, json={"question": "Who?"})
        await self.call(key, "GET", path, params={"keyword": "who", "page": "1", "limit": "5"})
        await self.call(key, "PUT", f"{path}/{{annotation_id}}", ids=ids, json={**pair, "answer": "You."})
        await self.call(key, "DELETE", f"{path}/{{annotation_id}}", 204, ids=ids)
        await self.call(key, "DELETE", f"{path}/{{annotation_id}}", 404, ids=ids)
        await self.call(key, "PUT", f"{path}/{{annotation_id}}", 404, ids=ids, json=pair)

    async def openai(self, key: Key) -> None:
        """Without streams, whose chunks are OpenAI's; its own client reads them in the suite."""
        asked = {"messages": [{"role": "user", "content": "Hello?"}], "user": "u1", "inputs": {"name": "Ann", "tone": "kind"}}
        await self.call(key, "POST", "/chat/completions", json=asked)
        await self.call(key, "POST", "/chat/completions", 400, json={**asked, "n": 2})
        ids = {"model_id": (await self.call(key, "GET", "/models")).json()["data"][0]["id"]}
        await self.call(key, "GET", "/models/{model_id}", ids=ids)
        await self.call(key, "GET", "/models/{model_id}", 404, ids={"model_id": "gpt-4o"})
        await self.call(key, "POST", "/embeddings", json={"input": ["Hello?"]})
        await self.call(key, "POST", "/embeddings", 400, json={"input": []})

    async def workflows(self) -> None:
        """Runs, their log, and a run that asks people."""
        features = {"text_to_speech": CITY["text_to_speech"]}
        flow, asking = [
            await sync_to_async(make_flow)(self.house.cast.alice, graph, features=features) for graph in (ECHO, ASKING)
        ]
        await self.about_the_app(flow)
        path, body = "/workflows/run", {"inputs": {"word": "Hello"}, "user": "u1"}
        whole = (await self.call(flow, "POST", path, json=body)).json()
        await self.call(flow, "POST", path, json={**body, "response_mode": "streaming"})
        await self.call(flow, "POST", path, 202, json={**body, "response_mode": "async"})
        await self.call(flow, "POST", path, 400, json={"inputs": {}, "user": "u1"})
        version = {"workflow_id": whole["data"]["workflow_id"]}
        await self.call(flow, "POST", "/workflows/{workflow_id}/run", ids=version, json=body)
        await self.call(flow, "POST", "/workflows/{workflow_id}/run", 400, ids={"workflow_id": "draft"}, json=body)
        await self.call(flow, "POST", "/workflows/{workflow_id}/run", 404, ids={"workflow_id": UNKNOWN}, json=body)
        ran = {"workflow_run_id": whole["workflow_run_id"]}
        await self.call(flow, "GET", "/workflows/run/{workflow_run_id}", ids=ran)
        await self.call(flow, "GET", "/workflows/run/{workflow_run_id}", 404, ids={"workflow_run_id": UNKNOWN})
        await self.call(flow, "GET", "/workflows/logs", params={"status": "succeeded", "limit": "2"})
        await self.call(flow, "GET", "/workflows/logs", 400, params={"status": "nonsense"})
        await self.call(flow, "GET", "/workflow/{workflow_run_id}/events", ids=ran, params={"user": "u1"})
        await self.call(flow, "POST", "/workflows/tasks/{task_id}/stop", ids={"task_id": UNKNOWN}, json={"user": "u1"})
        await self.call(self.house.chat, "POST", path, 400, json=body)
        await self.people(asking, body)

    async def people(self, key: Key, body: Mapping[str, Any]) -> None:
        """A form is shown, refused, answered; the run is followed from its beginning."""
        paused = (await self.call(key, "POST", "/workflows/run", json=body)).json()
        ids = {"form_token": paused["data"]["reasons"][0]["form_token"], "workflow_run_id": paused["workflow_run_id"]}
        path, answer = "/form/human_input/{form_token}", {"action": "yes", "inputs": {"note": "Fine"}, "user": "u1"}
        await self.call(key, "GET", path, ids=ids)
        await self.call(key, "GET", path, 404, ids={"form_token": "nobody's"})
        await self.call(key, "POST", path, 400, ids=ids, json={**answer, "action": "maybe"})
        await self.call(key, "POST", path, ids=ids, json=answer)
        await self.call(key, "POST", path, 412, ids=ids, json=answer)
        params = {"user": "u1", "include_state_snapshot": "true", "continue_on_pause": "true"}
        await self.call(key, "GET", "/workflow/{workflow_run_id}/events", ids=ids, params=params)

    async def chatflows(self) -> None:
        """What differs from other chat apps."""
        parts: dict[str, Any] = {
            "conversation_variables": [{"name": "mood", "value_type": "string", "value": "good"}],
            "features": {"text_to_speech": CITY["text_to_speech"]},
        }
        talk, asking = [
            await sync_to_async(make_flow)(self.house.cast.alice, graph, "advanced-chat", **parts)
            for graph in (TALK, ASKING_IN_CHAT)
        ]
        await self.about_the_app(talk)
        body = {"inputs": {}, "query": "Hello?", "user": "u1"}
        first = (await self.call(talk, "POST", "/chat-messages", json=body)).json()
        ids = {"conversation_id": first["conversation_id"]}
        await self.call(talk, "POST", "/chat-messages", json={**body, **ids, "response_mode": "streaming"})
        await self.call(talk, "POST", "/chat-messages", 400, json={**body, "workflow_id": "draft"})
        await self.call(talk, "GET", "/messages", params={"user": "u1", **ids})
        path = "/conversations/{conversation_id}/variables"
        (kept,) = (await self.call(talk, "GET", path, ids=ids, params={"user": "u1"})).json()["data"]
        one = {**ids, "variable_id": kept["id"]}
        await self.call(talk, "PUT", f"{path}/{{variable_id}}", ids=one, json={"user": "u1", "value": "bad"})
        await self.call(talk, "PUT", f"{path}/{{variable_id}}", 400, ids=one, json={"user": "u1", "value": 1})
        await self.call(talk, "GET", "/workflows/logs")
        paused = await self.call(asking, "POST", "/chat-messages", json={**body, "response_mode": "streaming"})
        assert paused.frames[-1].event == "workflow_paused"
        await self.call(
            asking, "GET", "/messages", params={"user": "u1", "conversation_id": paused.frames[0].record["conversation_id"]}
        )

    async def refusals(self) -> None:
        """The wrong kind of app, a switched-off feature, no model."""
        chat, completion = self.house.chat, self.house.completion
        body = {"inputs": {}, "query": "Hello?", "user": "u1"}
        await self.call(completion, "POST", "/chat-messages", 400, json=body)
        await self.call(chat, "POST", "/completion-messages", 400, json=body)
        await self.call(completion, "GET", "/conversations", 400)
        await self.house.configure(chat, speech_to_text={"enabled": False}, suggested_questions_after_answer={"enabled": False})
        await self.call(chat, "POST", "/audio-to-text", 400, data=_form("a.wav", b"RIFFsound", "audio/wav"))
        asked = (await self.call(chat, "POST", "/chat-messages", json=body)).json()
        ids = {"message_id": asked["id"]}
        await self.call(chat, "GET", "/messages/{message_id}/suggested", 400, ids=ids, params={"user": "u1"})
        await self.house.configure(chat, model={"provider": "", "name": ""})
        await self.call(chat, "POST", "/chat-messages", 400, json=body)


def _form(name: str, content: bytes, mime_type: str) -> aiohttp.FormData:
    form = aiohttp.FormData({"user": "u1"})
    form.add_field("file", content, filename=name, content_type=mime_type)
    return form


def deviations(exchanges: Iterable[Exchange], document: Document) -> dict[str, list[Deviation]]:
    """By exchange, what the document has against it. Operations that it does not know are left out."""
    known = {f"{method} {path}" for method, path in document.operations()}
    found: dict[str, set[Deviation]] = {}
    for exchange in exchanges:
        if exchange.operation in known:
            found.setdefault(exchange.name, set()).update(exchange.judged(document))
    return {name: sorted(faults) for name, faults in found.items()}
