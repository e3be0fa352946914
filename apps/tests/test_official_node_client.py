"""The official client of npm (``dify-client``), as it is: every operation that chat and completion apps have."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asgiref.sync import sync_to_async

from apps.models import Conversation, Feedback, Message, UploadFile
from difyproj.kernel import jsonio
from difyproj.testing.flows import ECHO, make_flow
from difyproj.testing.served import Served, parse_frames
from difyproj.testing.upstream import Script
from workflows.models import WorkflowRun

SOURCES = Path(__file__).parent / "node_client"
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "network")
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(40)


class Result(NamedTuple):
    status: int
    data: Any


class NodeClient:
    """The npm client in a process of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def call(self, mode: str, method: str, *args: Any, **options: Any) -> Result:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(jsonio.dumps({"mode": mode, "method": method, "args": args, **options}) + b"\n")
        line = await self._process.stdout.readline()
        assert line, await self._complaint()
        answer = jsonio.loads(line)
        return Result(answer["status"], answer.get("data"))

    async def ok(self, mode: str, method: str, *args: Any, **options: Any) -> Any:
        result = await self.call(mode, method, *args, **options)
        assert result.status in (200, 201, 204), result
        return result.data

    async def _complaint(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()


@pytest.fixture(scope="session")
def installed_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the driver with the client installed as its lock says; skipped where npm cannot get it."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("node") / "client"
    shutil.copytree(SOURCES, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90)
    if made.returncode and any(word in made.stderr for word in UNREACHABLE):
        pytest.skip("needs the npm registry")
    assert made.returncode == 0, made.stderr
    return folder


@asynccontextmanager
async def driving(folder: Path, house: Served) -> AsyncIterator[NodeClient]:
    words = ("node", "driver.mjs", f"{house.url}/v1", house.chat.token, house.completion.token)
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        yield NodeClient(process)
    finally:
        process.kill()
        await process.wait()


@pytest.fixture
async def node(installed_client: Path, house: Served) -> AsyncIterator[NodeClient]:
    async with driving(installed_client, house) as client:
        yield client


async def test_a_chat_message_is_answered_at_once(house: Served, node: NodeClient) -> None:
    house.upstream.script = Script(tokens=("Good ", "day!"))
    body = await node.ok("chat", "createChatMessage", {}, "Hello?", "u1")
    assert (body["answer"], body["mode"], body["event"]) == ("Good day!", "chat", "message")
    row = await Message.objects.select_related("end_user").aget(pk=body["message_id"])
    assert row.end_user is not None
    assert (row.query, row.answer, row.status, row.end_user.session_id) == ("Hello?", "Good day!", "normal", "u1")


async def test_a_chat_message_is_streamed_and_its_conversation_goes_on(house: Served, node: NodeClient) -> None:
    house.upstream.script = Script(tokens=("Good ", "day!"))
    text = await node.ok("chat", "createChatMessage", {}, "Hello?", "u1", True, read="stream")
    frames = parse_frames(text.encode())
    assert "".join(frame.record["answer"] for frame in frames if frame.event == "message") == "Good day!"
    assert frames[-1].event == "message_end"
    conversation_id = frames[0].record["conversation_id"]
    again = await node.ok("chat", "createChatMessage", {}, "And now?", "u1", False, conversation_id, None)
    assert again["conversation_id"] == conversation_id
    assert await Message.objects.filter(conversation_id=conversation_id).acount() == 2


async def test_a_completion_is_answered_at_once_and_streamed(house: Served, node: NodeClient) -> None:
    house.upstream.script = Script(tokens=("A ", "poem."))
    body = await node.ok("completion", "createCompletionMessage", {"query": "spring"}, "u1", False, None)
    assert (body["answer"], body["mode"]) == ("A poem.", "completion")
    text = await node.ok("completion", "createCompletionMessage", {"query": "spring"}, "u1", True, read="stream")
    frames = parse_frames(text.encode())
    assert "".join(frame.record["answer"] for frame in frames if frame.event == "message") == "A poem."
    answers = [row.answer async for row in Message.objects.filter(app_id=house.completion.app.pk)]
    assert answers == ["A poem.", "A poem."]


async def test_a_picture_is_handed_in_and_asked_about(house: Served, node: NodeClient) -> None:
    await house.configure(house.chat, file_upload={"image": {"enabled": True, "transfer_methods": ["local_file"]}})
    file = {"name": "pixel.png", "type": "image/png", "base64": base64.b64encode(PIXEL).decode()}
    uploaded = await node.ok("chat", "fileUpload", file=file, user="u1")
    row = await UploadFile.objects.aget(pk=uploaded["id"])
    assert (row.name, row.mime_type, row.size) == ("pixel.png", "image/png", len(PIXEL))
    given = [{"type": "image", "transfer_method": "local_file", "upload_file_id": uploaded["id"]}]
    body = await node.ok("chat", "createChatMessage", {}, "What is this?", "u1", False, None, given)
    assert await Message.objects.filter(pk=body["id"], files__upload_file=row).aexists()


async def test_the_parameters_are_told(node: NodeClient) -> None:
    assert (await node.ok("chat", "getApplicationParameters", "u1"))["opening_statement"] == "Hello!"
    form = (await node.ok("completion", "getApplicationParameters", "u1"))["user_input_form"]
    assert [list(item) for item in form] == [["paragraph"]]


async def test_an_answer_is_rated_and_unrated(node: NodeClient) -> None:
    for mode, body in (
        ("chat", await node.ok("chat", "createChatMessage", {}, "Hello?", "u1")),
        ("completion", await node.ok("completion", "createCompletionMessage", {"query": "x"}, "u1")),
    ):
        rated = Feedback.objects.filter(message_id=body["message_id"])
        assert await node.ok(mode, "messageFeedback", body["message_id"], "dislike", "u1") == {"result": "success"}
        assert (await rated.aget()).rating == "dislike"
        assert await node.ok(mode, "messageFeedback", body["message_id"], None, "u1") == {"result": "success"}
        assert not await rated.aexists()


async def test_conversations_and_messages_are_listed(node: NodeClient) -> None:
    first = await node.ok("chat", "createChatMessage", {}, "One", "u1")
    await node.ok("chat", "createChatMessage", {}, "Two", "u1", False, first["conversation_id"])
    second = await node.ok("chat", "createChatMessage", {}, "Other", "u1")
    both = [second["conversation_id"], first["conversation_id"]]
    for words in ((), (None, 20), (first["conversation_id"], 20, True), (None, None, False), ("", 100)):
        page = await node.ok("chat", "getConversations", "u1", *words)
        assert [row["id"] for row in page["data"]] == both, words
    page = await node.ok("chat", "getConversationMessages", "u1", first["conversation_id"], None, 1)
    assert ([row["query"] for row in page["data"]], page["has_more"]) == (["Two"], True)
    older = await node.ok("chat", "getConversationMessages", "u1", first["conversation_id"], page["data"][0]["id"])
    assert [row["query"] for row in older["data"]] == ["One"]


async def test_a_conversation_is_renamed_by_hand_by_itself_and_deleted(house: Served, node: NodeClient) -> None:
    conversation_id = (await node.ok("chat", "createChatMessage", {}, "Hello?", "u1"))["conversation_id"]
    by_hand = await node.ok("chat", "renameConversation", conversation_id, "Greetings", "u1", False)
    assert by_hand["name"] == "Greetings"
    house.upstream.script = Script(tokens=("Small ", "talk"))
    assert (await node.ok("chat", "renameConversation", conversation_id, None, "u1", True))["name"] == "Small talk"
    assert (await Conversation.objects.aget(pk=conversation_id)).name == "Small talk"
    assert await node.call("chat", "deleteConversation", conversation_id, "u2") == (
        404,
        {"code": "not_found", "message": "Conversation Not Exists.", "status": 404},
    )
    assert (await node.call("chat", "deleteConversation", conversation_id, "u1")).status == 204
    assert (await Conversation.objects.aget(pk=conversation_id)).is_deleted
    assert (await node.ok("chat", "getConversations", "u1"))["data"] == []


async def test_a_workflow_is_run(house: Served, node: NodeClient) -> None:
    flow = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    await node.call("completion", "updateApiKey", flow.token)
    body = await node.ok("completion", "runWorkflow", {"word": "hello"}, "u1")
    assert (body["data"]["status"], body["data"]["outputs"]) == ("succeeded", {"said": "hello"})
    assert (await WorkflowRun.objects.aget(pk=body["workflow_run_id"])).outputs == {"said": "hello"}
    frames = parse_frames((await node.ok("completion", "runWorkflow", {"word": "hi"}, "u1", True, read="stream")).encode())
    assert (frames[0].event, frames[-1].event) == ("workflow_started", "workflow_finished")


async def test_a_refusal_is_an_error_with_the_envelope(node: NodeClient) -> None:
    refused = await node.call("chat", "getConversationMessages", "u1")
    assert (refused.status, refused.data["code"], refused.data["params"]) == (400, "invalid_param", "conversation_id")
    refused = await node.call("completion", "runWorkflow", {}, "u1")
    assert (refused.status, refused.data["code"]) == (400, "not_workflow_app")
    await node.call("chat", "updateApiKey", "app-unknown")
    refused = await node.call("chat", "getApplicationParameters", "u1")
    assert (refused.status, refused.data["code"]) == (401, "unauthorized")
