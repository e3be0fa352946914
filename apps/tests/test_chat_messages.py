"""POST /v1/chat-messages: the question goes in, the answer streams out, everything is kept."""

from __future__ import annotations

from asgiref.sync import sync_to_async

from apps.models import Conversation, Message, Run
from difyproj.testing.served import Served


async def test_a_streamed_answer_ends_with_message_end_and_is_kept(house: Served) -> None:
    answer = await house.ask("Who are you?")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    frames = answer.frames
    assert "".join(frame.record["answer"] for frame in frames[:-1]) == "Hello, world!"
    assert {frame.event for frame in frames[:-1]} == {"message"}
    end = frames[-1].record
    assert end["event"] == "message_end"
    assert end["metadata"]["usage"]["total_tokens"] == 10
    message = await Message.objects.select_related("run", "conversation").aget()
    assert (message.query, message.answer, message.answer_tokens) == ("Who are you?", "Hello, world!", 3)
    assert str(message.pk) == end["message_id"] == end["id"]
    assert message.run is not None
    assert (message.run.status, str(message.run.pk)) == ("succeeded", end["task_id"])


async def test_a_blocking_answer_is_one_body(house: Served) -> None:
    answer = await house.ask(response_mode="blocking")
    body = answer.json()
    assert (answer.status, body["event"], body["mode"], body["answer"]) == (200, "message", "chat", "Hello, world!")
    assert await Conversation.objects.filter(pk=body["conversation_id"]).acount() == 1


async def test_a_stranger_to_the_conversation_is_told_it_does_not_exist(house: Served) -> None:
    conversation = (await house.ask(response_mode="blocking")).json()["conversation_id"]
    for stranger in ({"user": "u2"}, {"key": house.foreign}):
        answer = await house.ask(conversation_id=conversation, **stranger)
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
    assert await sync_to_async(Run.objects.count)() == 1
